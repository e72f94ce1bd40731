import type { IProcessRow, Row } from './rows';

/** Which processes are chosen, and which row the keyboard is on. Immutable. */
export interface ISelection {
  chosen: ReadonlySet<string>;
  active: string | null;
  anchor: string | null;
}

export const NOTHING: ISelection = { chosen: new Set(), active: null, anchor: null };

export function choose(key: string): ISelection {
  return { chosen: new Set([key]), active: key, anchor: key };
}

/** Ctrl-click: one more, or one less. */
export function toggle(selection: ISelection, key: string): ISelection {
  const chosen = new Set(selection.chosen);
  if (!chosen.delete(key)) {
    chosen.add(key);
  }
  return { chosen, active: key, anchor: key };
}

/** Shift-click, Shift-arrow: everything from the anchor to here. */
export function extend(selection: ISelection, key: string, rows: readonly Row[]): ISelection {
  const keys = rows.map(row => row.key);
  const from = selection.anchor === null ? -1 : keys.indexOf(selection.anchor);
  const to = keys.indexOf(key);
  if (from < 0 || to < 0) {
    return choose(key);
  }
  const between = rows.slice(Math.min(from, to), Math.max(from, to) + 1);
  const chosen = between.filter((row): row is IProcessRow => row.type === 'process').map(row => row.key);
  return { chosen: new Set(chosen), active: key, anchor: selection.anchor };
}

/** Move the keyboard's row: a group head can be on it, but only processes are chosen. */
export function moveTo(selection: ISelection, row: Row): ISelection {
  return row.type === 'process' ? choose(row.key) : { ...selection, active: row.key, anchor: null };
}

/** Without what is no longer there. */
export function prune(selection: ISelection, exists: (key: string) => boolean): ISelection {
  const chosen = [...selection.chosen].filter(exists);
  return chosen.length === selection.chosen.size ? selection : { ...selection, chosen: new Set(chosen) };
}
