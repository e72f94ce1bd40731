import { Signal, type ISignal } from '@lumino/signaling';

import type { IProcess } from '../api/types';
import { rows, type Row } from './rows';
import { NOTHING, prune, type ISelection } from './selection';
import type { Store } from './store';
import type { IView, SortKey } from './view';

export type Tab = 'cells' | 'errors' | 'logs' | 'progress' | 'tree' | 'requests' | 'post-mortem';

/** How one panel looks at the store: filter, order, what is open, what is chosen. */
export class PanelModel {
  view: IView = {
    text: '',
    mine: false,
    sort: 'started',
    collapsedGroups: new Set(['ended']),
    expanded: new Set()
  };
  selection: ISelection = NOTHING;
  tab: Tab = 'cells';
  seen: ReadonlySet<string> = new Set();
  userId: string | null = null;
  canControl = true;
  canRun = true;

  constructor(readonly store: Store) {
    store.changed.connect(() => {
      this.selection = prune(this.selection, key => store.processes.has(key));
      this.touch();
    });
  }

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Counts changes, so that a view knows when to draw again. */
  version = 0;

  get rows(): readonly Row[] {
    if (this.drawn !== this.version) {
      this._rows = rows(this.store.processes.values(), this.view, this.userId, this.seen);
      this.drawn = this.version;
    }
    return this._rows;
  }

  /** The chosen processes, in the store's order. */
  get chosen(): IProcess[] {
    return [...this.selection.chosen]
      .map(id => this.store.processes.get(id))
      .filter((process): process is IProcess => process !== undefined);
  }

  /** The one whose details are shown; null unless exactly one is chosen. */
  get current(): IProcess | null {
    return this.selection.chosen.size === 1 ? (this.chosen[0] ?? null) : null;
  }

  select(selection: ISelection): void {
    this.selection = selection;
    this.touch();
  }

  showTab(tab: Tab): void {
    this.tab = tab;
    this.touch();
  }

  filter(text: string): void {
    this.look({ text });
  }

  sortBy(sort: SortKey): void {
    this.look({ sort });
  }

  look(change: Partial<IView>): void {
    this.view = { ...this.view, ...change };
    this.touch();
  }

  toggle(row: Row, open?: boolean): void {
    const shut = row.type === 'group' ? new Set(this.view.collapsedGroups) : new Set(this.view.expanded);
    // Groups are open unless listed, processes are closed unless listed.
    const listed = row.type === 'group' ? !(open ?? !row.open) : (open ?? !row.open);
    if (listed) {
      shut.add(row.key);
    } else {
      shut.delete(row.key);
    }
    this.look(row.type === 'group' ? { collapsedGroups: shut } : { expanded: shut });
  }

  markSeen(ids: Iterable<string>): void {
    this.seen = new Set([...this.seen, ...ids]);
    this.touch();
  }

  touch(): void {
    this.version += 1;
    this._changed.emit();
  }

  private drawn = -1;
  private _rows: readonly Row[] = [];
  private _changed = new Signal<this, void>(this);
}
