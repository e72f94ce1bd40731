import type { IProcess } from '../api/types';

export type SortKey = 'started' | 'name' | 'cpu' | 'memory' | 'state';

/** How the user looks at the list. */
export interface IView {
  text: string;
  mine: boolean;
  sort: SortKey;
  collapsedGroups: ReadonlySet<string>;
  expanded: ReadonlySet<string>;
}

/** Every word of the filter is in the name, file, notebook, user, kind, state or description. */
export function matches(process: IProcess, text: string): boolean {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) {
    return true;
  }
  const { name, path, notebook, user_id, kind, status, description, error } = process;
  const all = [name, path, notebook, user_id, kind, status, description, error].join('\n').toLowerCase();
  return words.every(word => all.includes(word));
}

export function compare(key: SortKey): (a: IProcess, b: IProcess) => number {
  const newest = (a: IProcess, b: IProcess) => b.started_at.localeCompare(a.started_at);
  const name = (a: IProcess, b: IProcess) =>
    a.name.localeCompare(b.name, undefined, { numeric: true }) || b.run - a.run;
  const orders: Record<SortKey, (a: IProcess, b: IProcess) => number> = {
    started: newest,
    name,
    cpu: (a, b) => (b.resources?.cpu ?? -1) - (a.resources?.cpu ?? -1) || name(a, b),
    memory: (a, b) => (b.resources?.rss ?? -1) - (a.resources?.rss ?? -1) || name(a, b),
    state: (a, b) => a.status.localeCompare(b.status) || newest(a, b)
  };
  return orders[key];
}
