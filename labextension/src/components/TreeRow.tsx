import * as React from 'react';

import type { Row } from '../model/rows';
import { choose, extend, moveTo, toggle } from '../model/selection';
import { stateWord } from '../model/words';
import { CommandIDs } from '../plugins/ids';
import { usePanel } from './context';
import { GroupRow } from './GroupRow';
import { ProcessRow } from './ProcessRow';

interface IProps {
  row: Row;
  chosen: boolean;
  active: boolean;
  height: number;
  top: number;
}

export function rowId(row: Row): string {
  return `tv-row-${row.key}`;
}

/** One row at its place; drawn again only if it changed, which keeps scrolling smooth. */
export const TreeRow = React.memo(function TreeRow({ row, chosen, active, height, top }: IProps) {
  const { commands, model, trans } = usePanel();
  const onToggle = React.useCallback(() => model.toggle(row), [model, row]);
  const click = (event: React.MouseEvent) => {
    const { rows, selection } = model;
    if (row.type === 'group') {
      model.select({ ...selection, active: row.key });
      model.toggle(row);
    } else if (event.shiftKey) {
      model.select(extend(selection, row.key, rows));
    } else {
      model.select(event.ctrlKey || event.metaKey ? toggle(selection, row.key) : choose(row.key));
    }
  };
  // A right click on something that is not chosen chooses it, so that the menu speaks of what is under it.
  const menu = () => {
    if (!model.selection.chosen.has(row.key)) {
      model.select(moveTo(model.selection, row));
    }
  };
  const process = row.type === 'process' ? row.process : null;
  return (
    <div
      id={rowId(row)}
      role="treeitem"
      data-process={process?.process_id}
      data-status={process?.status}
      aria-label={process ? `${process.name}, ${stateWord(process, trans)}` : undefined}
      aria-level={row.type === 'group' ? 1 : row.depth + 2}
      aria-posinset={row.type === 'process' ? row.position : undefined}
      aria-setsize={row.type === 'process' ? row.siblings : undefined}
      aria-expanded={row.open ?? undefined}
      aria-selected={process ? chosen : undefined}
      className={`tv-Row${chosen ? ' tv-mod-chosen' : ''}${active ? ' tv-mod-active' : ''}`}
      style={{ height, transform: `translateY(${top}px)` }}
      onClick={click}
      onContextMenu={menu}
      onDoubleClick={() => process && void commands.execute(CommandIDs.open)}
    >
      {row.type === 'group' ? <GroupRow row={row} /> : <ProcessRow row={row} onToggle={onToggle} />}
    </div>
  );
});
