import type { IProcess } from '../api/types';
import { groupOf, isLive, isPending, type Group } from './status';
import { compare, matches, type IView } from './view';

export const GROUPS: readonly Group[] = ['running', 'attention', 'ended'];
const GROUP_HEIGHT = 26;
const SUMMARY_HEIGHT = 24;
const LINE_HEIGHT = 18;
const WAITING_HEIGHT = 58;

/** Which lines a process row has, beyond its summary. Its height follows from them alone, so nothing jumps. */
export interface ILines {
  progress: boolean;
  now: boolean;
  waiting: boolean;
  children: boolean;
}

export interface IGroupRow {
  type: 'group';
  key: Group;
  count: number;
  open: boolean;
}

export interface IProcessRow {
  type: 'process';
  key: string;
  process: IProcess;
  group: Group;
  depth: number;
  position: number;
  siblings: number;
  open: boolean | null;
  lines: ILines;
}

export type Row = IGroupRow | IProcessRow;

export function height(row: Row): number {
  if (row.type === 'group') {
    return GROUP_HEIGHT;
  }
  const { progress, now, waiting, children } = row.lines;
  const lines = [progress, now, children].filter(Boolean).length;
  return SUMMARY_HEIGHT + lines * LINE_HEIGHT + (waiting ? WAITING_HEIGHT : 0) + (lines || waiting ? 4 : 0);
}

/** A line appears only where it carries news. */
export function linesOf(process: IProcess, open: boolean | null): ILines {
  const { children, progress } = process;
  const living = process.actors > 0 || Object.values(children).some(count => count > 0);
  return {
    progress: isLive(process) && progress !== null,
    now: isLive(process) && process.status !== 'unknown' && process.current_cell !== null,
    waiting: isPending(process),
    children: isLive(process) && living && open !== true
  };
}

/** The tree as the flat list of rows that are to be drawn. */
export function rows(
  processes: Iterable<IProcess>,
  view: IView,
  userId: string | null,
  seen: ReadonlySet<string>
): Row[] {
  const groups: Record<Group, IProcess[]> = { running: [], attention: [], ended: [] };
  for (const process of processes) {
    if ((!view.mine || process.user_id === userId) && matches(process, view.text)) {
      groups[groupOf(process, seen)].push(process);
    }
  }
  return GROUPS.flatMap(group => {
    const members = groups[group];
    if (members.length === 0) {
      return [];
    }
    const open = view.text !== '' || !view.collapsedGroups.has(group);
    const head: IGroupRow = { type: 'group', key: group, count: members.length, open };
    return open ? [head, ...branches(members, group, view)] : [head];
  });
}

function branches(members: IProcess[], group: Group, view: IView): IProcessRow[] {
  const here = new Set(members.map(process => process.process_id));
  const below = new Map<string | null, IProcess[]>();
  for (const process of [...members].sort(compare(view.sort))) {
    const { parent_id, process_id } = process;
    const parent = parent_id !== null && parent_id !== process_id && here.has(parent_id) ? parent_id : null;
    const siblings = below.get(parent);
    if (siblings) {
      siblings.push(process);
    } else {
      below.set(parent, [process]);
    }
  }
  const result: IProcessRow[] = [];
  const visit = (siblings: IProcess[], depth: number) => {
    siblings.forEach((process, index) => {
      const children = below.get(process.process_id) ?? [];
      const open = children.length === 0 ? null : view.text !== '' || view.expanded.has(process.process_id);
      const row = { process, group, depth, position: index + 1, siblings: siblings.length, open };
      result.push({ type: 'process', key: process.process_id, lines: linesOf(process, open), ...row });
      if (open) {
        visit(children, depth + 1);
      }
    });
  };
  visit(below.get(null) ?? [], 0);
  return result;
}
