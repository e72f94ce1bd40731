import * as React from 'react';

import type { IPostMortem } from '../../api/details';
import type { IProcess } from '../../api/types';
import { bytes } from '../../format/numbers';
import { LogBuffer } from '../../model/logBuffer';
import { usePanel } from '../context';
import { CellItem } from './CellsTab';
import { ErrorItem } from './ErrorsTab';
import { Part } from './Part';
import { RequestItem } from './RequestsTab';
import { useDetail } from './useDetail';

/** How it ended, what is known of why, and what it left behind. */
export function PostMortemTab({ process }: { process: IProcess }): React.ReactElement {
  const { client, trans } = usePanel();
  const detail = useDetail(process, ['processes'], client.postMortem);
  return (
    <Part detail={detail} empty={trans.__('Nothing is known of its end.')} isEmpty={data => !data.summary}>
      {data => <Report data={data} process={process} />}
    </Part>
  );
}

function Report({ data, process }: { data: IPostMortem; process: IProcess }): React.ReactElement {
  const { trans } = usePanel();
  const log = React.useMemo(() => {
    const buffer = new LogBuffer();
    buffer.append(data.log?.segments ?? []);
    return buffer.lines.slice(-20);
  }, [data]);
  const { error, last_cell, left_behind, memory } = data;
  return (
    <div className="tv-PostMortem">
      <p className="tv-Verdict">{data.summary}</p>
      {!data.certain && <p className="tv-Hint">{trans.__('This is inferred, not witnessed.')}</p>}
      <dl>
        {data.exit_code !== null && <Fact name={trans.__('Exit code')} value={String(data.exit_code)} />}
        {data.exit_signal && <Fact name={trans.__('Signal')} value={data.exit_signal} />}
        {memory?.peak && (
          <Fact
            name={trans.__('Memory')}
            value={trans.__(
              '%1 at last, %2 at most, %3 in the machine',
              bytes(memory.last),
              bytes(memory.peak),
              bytes(memory.limit)
            )}
          />
        )}
        {data.evidence.map(({ source, text }, index) => (
          <Fact key={index} name={source} value={text} />
        ))}
      </dl>
      {left_behind.length > 0 && (
        <section>
          <h3>{trans.__('Left behind')}</h3>
          <ul>
            {left_behind.map(({ pid, name, rss }) => (
              <li key={pid}>{[name, pid, bytes(rss)].filter(Boolean).join(' · ')}</li>
            ))}
          </ul>
        </section>
      )}
      {error && (
        <section>
          <h3>{trans.__('Error')}</h3>
          <ul className="tv-List">
            <ErrorItem error={error} process={process} />
          </ul>
        </section>
      )}
      {last_cell && (
        <section>
          <h3>{trans.__('Last cell')}</h3>
          <ul className="tv-List">
            <CellItem cell={last_cell} process={process} />
          </ul>
        </section>
      )}
      {data.requests.length > 0 && (
        <section>
          <h3>{trans.__('Requests')}</h3>
          <ul className="tv-List">
            {data.requests.map(request => (
              <RequestItem key={request.request_id} request={request} process={process} />
            ))}
          </ul>
        </section>
      )}
      {log.length > 0 && (
        <section>
          <h3>{trans.__('Last lines')}</h3>
          <pre className="tv-Output">{log.map(line => line.text).join('\n')}</pre>
        </section>
      )}
    </div>
  );
}

function Fact({ name, value }: { name: string; value: string }): React.ReactElement {
  return (
    <>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </>
  );
}
