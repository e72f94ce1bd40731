import * as React from 'react';

import type { Stream } from '../../api/details';
import type { IProcess } from '../../api/types';
import { usePanel } from '../context';
import { LogLines } from './LogLines';
import { useLog } from './useLog';
import { useLogSearch } from './useLogSearch';

/** The live end of stdout and stderr, and a search through the whole of them. */
export function LogsTab({ process }: { process: IProcess }): React.ReactElement {
  const { trans } = usePanel();
  const [text, setText] = React.useState('');
  const [stream, setStream] = React.useState<Stream | 'all'>('all');
  const [follow, setFollow] = React.useState(true);
  const log = useLog(process);
  const search = useLogSearch(process, text, stream);
  const lines = React.useMemo(
    () => (stream === 'all' ? log.lines : log.lines.filter(line => line.stream === stream)),
    [log.lines, stream]
  );
  if (log.unavailable !== null) {
    return <p className="tv-Empty">{log.unavailable}</p>;
  }
  const found = search.lines;
  return (
    <div className="tv-Logs">
      <div className="tv-LogBar">
        <input
          type="search"
          value={text}
          placeholder={trans.__('Search the log…')}
          aria-label={trans.__('Search the log')}
          spellCheck={false}
          onChange={event => setText(event.target.value)}
        />
        <select
          value={stream}
          aria-label={trans.__('Which stream')}
          onChange={event => setStream(event.target.value as Stream | 'all')}
        >
          <option value="all">{trans.__('all')}</option>
          <option value="stdout">stdout</option>
          <option value="stderr">stderr</option>
        </select>
        <button
          className="tv-Toggle"
          aria-pressed={follow}
          title={trans.__('Stay at the end')}
          onClick={() => setFollow(!follow)}
        >
          {trans.__('follow')}
        </button>
      </div>
      {(log.error ?? search.error) && <p className="tv-Trouble tv-mod-bad">{log.error ?? search.error}</p>}
      {found ? (
        <>
          <div className="tv-Hint" role="status">
            {search.complete
              ? trans._n('%1 line found', '%1 lines found', found.length)
              : trans.__('the latest %1 lines found', found.length)}
          </div>
          <LogLines lines={found} mark={text} follow={false} onScrolledUp={() => undefined} earlier={null} />
        </>
      ) : lines.length === 0 && log.loaded && !log.error ? (
        <p className="tv-Empty">{trans.__('Nothing has been printed yet.')}</p>
      ) : (
        <LogLines
          lines={lines}
          mark=""
          follow={follow}
          onScrolledUp={up => setFollow(!up)}
          earlier={log.earlier}
        />
      )}
    </div>
  );
}
