import * as React from 'react';

import type { Stream } from '../../api/details';
import type { IProcess } from '../../api/types';
import { terminalLine } from '../../format/text';
import type { ILogLine } from '../../model/logBuffer';
import { usePanel } from '../context';

interface IFound {
  lines: ILogLine[] | null;
  complete: boolean;
  error: string | null;
}

const NONE: IFound = { lines: null, complete: true, error: null };
const PAUSE = 250;

/** The server searches the whole log, a moment after the last key; oldest line first, as in the log. */
export function useLogSearch(process: IProcess, text: string, stream: Stream | 'all'): IFound {
  const { client } = usePanel();
  const [found, set] = React.useState<IFound>(NONE);
  const id = process.process_id;
  React.useEffect(() => {
    if (text === '') {
      set(NONE);
      return;
    }
    let gone = false;
    const timer = window.setTimeout(() => {
      client
        .searchLogs(id, { q: text, stream })
        .then(({ matches, complete }) => {
          const lines = matches.map((match, key) => ({
            key,
            stream: match.stream,
            text: terminalLine(match.line)
          }));
          return !gone && set({ lines: lines.reverse(), complete, error: null });
        })
        .catch((error: Error) => !gone && set({ ...NONE, error: error.message }));
    }, PAUSE);
    return () => {
      gone = true;
      window.clearTimeout(timer);
    };
  }, [client, id, stream, text]);
  return found;
}
