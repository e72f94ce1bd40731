import * as React from 'react';

import type { IProcess } from '../api/types';
import { basename } from '../format/text';
import { Ago } from './Ago';
import { usePanel } from './context';

/** What runs now, and the time since the last checkpoint: "cell 7 · model.fit(…) · ✓ 0.8 s ago". */
export function NowLine({ process }: { process: IProcess }): React.ReactElement | null {
  const { trans } = usePanel();
  const ago = React.useCallback((time: string) => `✓ ${trans.__('%1 ago', time)}`, [trans]);
  const cell = process.current_cell;
  if (!cell) {
    return null;
  }
  const number = cell.execution_count ?? cell.seq;
  // Of a script, the first line says little; which file it is, more.
  const what = process.kind === 'notebook' ? cell.code : basename(process.path ?? cell.code);
  return (
    <div className="tv-Line tv-NowLine">
      <span className="tv-ellipsis" title={what}>
        {process.kind === 'notebook' && <>{trans.__('cell %1', number)} · </>}
        <code>{what}</code>
      </span>
      {process.last_checkpoint_at ? (
        <span className="tv-number" title={trans.__('Time since the last checkpoint')}>
          <Ago since={process.last_checkpoint_at} words={ago} />
        </span>
      ) : (
        <span title={trans.__('It has passed no checkpoint: only *now* can pause it.')}>
          {trans.__('no checkpoint')}
        </span>
      )}
    </div>
  );
}
