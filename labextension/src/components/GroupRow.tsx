import { caretDownIcon, caretRightIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { IGroupRow } from '../model/rows';
import { usePanel } from './context';

/** "▾ RUNNING 3" */
export function GroupRow({ row }: { row: IGroupRow }): React.ReactElement {
  const { trans } = usePanel();
  const names = {
    running: trans.__('Running'),
    attention: trans.__('Needs attention'),
    ended: trans.__('Ended')
  };
  const Caret = row.open ? caretDownIcon : caretRightIcon;
  return (
    <div className={`tv-Group tv-mod-${row.key}`}>
      <Caret.react tag="span" />
      <span>{names[row.key]}</span>
      <span className="tv-Count">{row.count}</span>
    </div>
  );
}
