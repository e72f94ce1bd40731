import * as React from 'react';

import type { ICell } from '../../api/details';
import type { IProcess } from '../../api/types';
import { duration } from '../../format/time';
import { firstLine } from '../../format/text';
import { cellWord } from '../../model/words';
import { CommandIDs } from '../../plugins/ids';
import { Ago } from '../Ago';
import { usePanel } from '../context';
import { Part } from './Part';
import { useDetail } from './useDetail';

const PAGE = 100;

/** Code, duration and outcome of each cell, latest first; a click jumps to the cell in the notebook. */
export function CellsTab({ process }: { process: IProcess }): React.ReactElement {
  const { client, trans } = usePanel();
  const [limit, setLimit] = React.useState(PAGE);
  const detail = useDetail(process, ['cells', 'errors'], id => client.cells(id, { limit }));
  const { reload } = detail;
  React.useEffect(() => {
    if (limit > PAGE) {
      reload();
    }
  }, [limit, reload]);
  return (
    <Part detail={detail} empty={trans.__('No cell has run yet.')} isEmpty={data => data.cells.length === 0}>
      {data => (
        <ul className="tv-List">
          {data.cells.map(cell => (
            <CellItem key={cell.seq} cell={cell} process={process} />
          ))}
          {data.more && limit < 1000 && (
            <li>
              <button className="tv-Link" onClick={() => setLimit(Math.min(1000, limit + 4 * PAGE))}>
                {trans.__('Show older cells (%1 in all)', data.total)}
              </button>
            </li>
          )}
        </ul>
      )}
    </Part>
  );
}

export function CellItem({ cell, process }: { cell: ICell; process: IProcess }): React.ReactElement {
  const { commands, trans } = usePanel();
  const [open, setOpen] = React.useState(process.kind !== 'notebook');
  const number = cell.execution_count ?? cell.seq;
  const jumps = process.kind === 'notebook' && cell.cell_id !== null && process.notebook !== null;
  const act = () => {
    setOpen(jumps ? true : !open);
    if (jumps) {
      void commands.execute(CommandIDs.open, { process_id: process.process_id, cell_id: cell.cell_id });
    }
  };
  return (
    <li className={`tv-Cell tv-mod-${cell.status}`} data-cell={cell.seq}>
      <button
        className="tv-Cell-head"
        aria-expanded={open}
        title={jumps ? trans.__('Go to this cell in the notebook') : trans.__('Show the code')}
        onClick={act}
      >
        <span className="tv-Prompt">[{number}]</span>
        <code className="tv-ellipsis">{cell.private ? trans.__('private cell') : firstLine(cell.code)}</code>
        <span className="tv-Outcome">{cellWord(cell.status, trans)}</span>
        <span className="tv-number">
          {cell.duration === null ? <Ago since={cell.started_at} /> : duration(cell.duration)}
        </span>
      </button>
      {cell.error_type && (
        <div className="tv-ErrorLine tv-ellipsis" title={cell.error_message ?? ''}>
          {[cell.error_type, cell.error_message].filter(Boolean).join(': ')}
        </div>
      )}
      {open && !cell.private && (
        <>
          <pre className="tv-Code">{cell.code}</pre>
          {cell.code_truncated && (
            <div className="tv-Hint">{trans.__('The code goes on; it is cut here.')}</div>
          )}
          {cell.output_tail && <pre className="tv-Output">{cell.output_tail}</pre>}
        </>
      )}
    </li>
  );
}
