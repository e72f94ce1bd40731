import * as React from 'react';

import type { ILogs, LogCursor } from '../../api/details';
import type { IProcess } from '../../api/types';
import { LogBuffer, type ILogLine } from '../../model/logBuffer';
import type { ITouch } from '../../model/refresher';
import { isLive } from '../../model/status';
import { usePanel } from '../context';

export interface ILog {
  lines: readonly ILogLine[];
  /** Why there are no logs; null if there are. */
  unavailable: string | null;
  error: string | null;
  loaded: boolean;
  /** Read further back; null at the beginning. */
  earlier: (() => void) | null;
}

/** The end of a log, then what is added to it: each second while the process lives, and on events. */
export function useLog(process: IProcess): ILog {
  const { client, refresher } = usePanel();
  const [log, set] = React.useState<ILog>({
    lines: [],
    unavailable: null,
    error: null,
    loaded: false,
    earlier: null
  });
  const id = process.process_id;
  const live = isLive(process);

  React.useEffect(() => {
    let gone = false;
    let busy = false;
    let missed = false;
    let buffer = new LogBuffer();
    let start: LogCursor | null = null;
    let next: LogCursor | null = null;

    const show = (answer: ILogs) => {
      const back = start && (start.stdout > 0 || start.stderr > 0) ? earlier : null;
      set({ lines: buffer.lines, unavailable: answer.available, error: null, loaded: true, earlier: back });
    };
    const attempt = async (query: Record<string, number>, take: (answer: ILogs) => void) => {
      busy = true;
      try {
        const answer = await client.logs(id, query);
        if (!gone) {
          take(answer);
          show(answer);
        }
      } catch (error) {
        if (!gone) {
          set(old => ({ ...old, error: (error as Error).message, loaded: true }));
        }
      }
      busy = false;
      if (missed && !gone) {
        follow();
      }
    };
    const earlier = () => {
      if (start) {
        void attempt({ stdout_to: start.stdout, stderr_to: start.stderr }, answer => {
          buffer.prepend(answer.segments);
          start = answer.start;
        });
      }
    };
    const follow = () => {
      if (busy || document.hidden) {
        return;
      }
      missed = false;
      const query = next ? { stdout_from: next.stdout, stderr_from: next.stderr } : {};
      void attempt(query as Record<string, number>, answer => {
        if (answer.reset) {
          buffer = new LogBuffer();
          start = null;
        }
        start ??= answer.start;
        next = answer.next;
        buffer.append(answer.segments);
      });
    };
    const onTouch = (_: unknown, touch: ITouch) => {
      if ((touch.ids === null || touch.ids.has(id)) && touch.parts.has('logs')) {
        missed = busy; // the answer under way may be older than the news, and the last there is
        follow();
      }
    };
    follow();
    refresher.touched.connect(onTouch);
    const timer = live ? window.setInterval(follow, 1000) : null;
    return () => {
      gone = true;
      refresher.touched.disconnect(onTouch);
      if (timer !== null) {
        window.clearInterval(timer);
      }
    };
  }, [client, id, live, refresher]);
  return log;
}
