import { Throttler } from '@lumino/polling';
import * as React from 'react';

import type { IProcess } from '../../api/types';
import { isLive } from '../../model/status';
import type { ITouch } from '../../model/refresher';
import { usePanel } from '../context';

export interface IDetail<T> {
  data: T | null;
  error: string | null;
  reload: () => void;
}

/**
 * Fetch one part of a process, and again whenever an event says that one of `parts` changed, or every `seconds`
 * while the process lives. An answer that comes after the next question was asked is dropped.
 */
export function useDetail<T>(
  process: IProcess,
  parts: readonly string[],
  fetch: (id: string) => Promise<T>,
  seconds = 10
): IDetail<T> {
  const { refresher } = usePanel();
  const [state, set] = React.useState<{ data: T | null; error: string | null }>({ data: null, error: null });
  const asked = React.useRef(0);
  const busy = React.useRef(false);
  const missed = React.useRef(false);
  const latest = React.useRef(fetch);
  latest.current = fetch;
  const id = process.process_id;
  const live = isLive(process);

  const reload = React.useCallback(() => {
    const mine = ++asked.current;
    busy.current = true;
    missed.current = false;
    latest
      .current(id)
      .then(data => mine === asked.current && set({ data, error: null }))
      .catch((error: Error) => mine === asked.current && set(old => ({ ...old, error: error.message })))
      .finally(() => {
        if (mine === asked.current) {
          busy.current = false; // an answer that was overtaken says nothing
          if (missed.current) {
            reload();
          }
        }
      });
  }, [id]);

  React.useEffect(() => {
    reload();
    const again = () => {
      if (!document.hidden && !busy.current) {
        reload();
      }
    };
    const news = () => {
      missed.current = busy.current; // the answer under way may be older than the news, and the last there is
      again();
    };
    // A loop that appends a record each millisecond need not be drawn more than once a second.
    const throttler = new Throttler(news, { limit: 1000, edge: 'trailing' });
    const onTouch = (_: unknown, touch: ITouch) => {
      if ((touch.ids === null || touch.ids.has(id)) && parts.some(part => touch.parts.has(part))) {
        void throttler.invoke();
      }
    };
    refresher.touched.connect(onTouch);
    const timer = live ? window.setInterval(again, seconds * 1000) : null;
    return () => {
      asked.current += 1;
      throttler.dispose();
      refresher.touched.disconnect(onTouch);
      if (timer !== null) {
        window.clearInterval(timer);
      }
    };
    // `parts` is a constant of each tab. The status tells that the process has ended or was paused.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [id, live, process.status, reload, refresher, seconds]);

  return { ...state, reload };
}
