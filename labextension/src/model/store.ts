import { Signal, type ISignal } from '@lumino/signaling';

import { ApiError } from '../api/fetch';
import type { IHost, INotice, IProcess, IProcessList } from '../api/types';

/** What one answer changed. `before` is empty on the first one, when nothing is news. */
export interface IUpdate {
  first: boolean;
  before: ReadonlyMap<string, IProcess>;
  after: ReadonlyMap<string, IProcess>;
}

/** The list as the server last told it, and whether it can be asked at all. */
export class Store {
  processes: ReadonlyMap<string, IProcess> = new Map();
  host: IHost | null = null;
  notice: INotice | null = null;
  error: ApiError | null = null;
  loaded = false;
  total = 0;
  revision = 0;
  serverStartedAt: string | null = null;

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  get updated(): ISignal<this, IUpdate> {
    return this._updated;
  }

  /** The revision to ask changes from; undefined asks for everything. */
  get since(): number | undefined {
    return this.loaded ? this.revision : undefined;
  }

  /** Forget the revision, so that the next answer is complete. */
  forget(): void {
    this.loaded = false;
  }

  apply(list: IProcessList): void {
    const first = this.serverStartedAt === null;
    const before = this.processes;
    const after = new Map(list.partial ? before : []);
    list.removed.forEach(id => after.delete(id));
    list.processes.forEach(process => after.set(process.process_id, process));
    this.processes = after;
    this.host = list.host;
    this.notice = list.notice;
    this.total = list.partial ? after.size : list.total;
    this.revision = list.revision;
    this.serverStartedAt = list.server_started_at ?? '';
    this.error = null;
    this.loaded = true;
    this._updated.emit({ first, before, after });
    this._changed.emit();
  }

  /** One process, fetched or made on its own. */
  put(process: IProcess): void {
    const before = this.processes;
    this.processes = new Map(before).set(process.process_id, process);
    this._updated.emit({ first: false, before, after: this.processes });
    this._changed.emit();
  }

  fail(error: unknown): void {
    this.error = error instanceof ApiError ? error : new ApiError(String(error), 0);
    this._changed.emit();
  }

  private _changed = new Signal<this, void>(this);
  private _updated = new Signal<this, IUpdate>(this);
}
