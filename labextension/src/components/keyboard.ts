import type * as React from 'react';

import type { Row } from '../model/rows';
import { choose, extend, moveTo, NOTHING, toggle } from '../model/selection';
import { CommandIDs } from '../plugins/ids';
import type { IPanel } from './context';

/** The keys of a tree (ARIA authoring practices), and Enter, Delete, P, R for what the buttons do. */
export function onTreeKey(
  event: React.KeyboardEvent,
  { commands, model }: IPanel,
  reveal: (index: number) => void
): void {
  const { rows, selection } = model;
  const at = rows.findIndex(row => row.key === selection.active);
  const row: Row | undefined = rows[at];
  const go = (index: number) => {
    const next = rows[Math.max(0, Math.min(rows.length - 1, index))];
    if (next) {
      model.select(event.shiftKey ? extend(selection, next.key, rows) : moveTo(selection, next));
      reveal(rows.indexOf(next));
    }
  };
  const command = (id: string) => () => {
    if (selection.chosen.size > 0) {
      void commands.execute(id);
    }
  };
  const keys: Record<string, () => void> = {
    ArrowDown: () => go(at + 1),
    ArrowUp: () => go(at < 0 ? 0 : at - 1),
    PageDown: () => go(at + 10),
    PageUp: () => go(at - 10),
    Home: () => go(0),
    End: () => go(rows.length - 1),
    ArrowRight: () => {
      if (row?.open === false) {
        model.toggle(row, true);
      } else if (row?.open) {
        go(at + 1);
      }
    },
    ArrowLeft: () => {
      if (row?.open) {
        model.toggle(row, false);
      } else if (row) {
        go(parentOf(rows, at));
      }
    },
    Enter: row?.type === 'group' ? () => model.toggle(row) : command(CommandIDs.open),
    ' ': () => {
      if (row?.type === 'group') {
        model.toggle(row);
      } else if (row) {
        model.select(event.ctrlKey ? toggle(selection, row.key) : choose(row.key));
      }
    },
    Delete: command(CommandIDs.stop),
    p: command(CommandIDs.pause),
    r: command(CommandIDs.resume),
    '/': () => void commands.execute(CommandIDs.focusFilter),
    Escape: () => model.select(NOTHING)
  };
  if (event.key === 'a' && (event.ctrlKey || event.metaKey)) {
    keys.a = () => void commands.execute(CommandIDs.selectAll);
  } else if ((event.ctrlKey || event.metaKey || event.altKey) && event.key !== ' ') {
    return;
  }
  const act = keys[event.key];
  if (act && event.target === event.currentTarget) {
    event.preventDefault();
    event.stopPropagation();
    act();
  }
}

function parentOf(rows: readonly Row[], at: number): number {
  const row = rows[at];
  const depth = row.type === 'group' ? -1 : row.depth;
  for (let index = at - 1; index >= 0; index--) {
    const other = rows[index];
    if ((other.type === 'group' ? -1 : other.depth) < depth) {
      return index;
    }
  }
  return at;
}
