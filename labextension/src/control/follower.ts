import { Signal, type ISignal } from '@lumino/signaling';

import type { Client } from '../api/client';
import type { IProcess, IRequest } from '../api/types';
import type { Refresher } from '../model/refresher';

const FIRST_WAIT = 40;
const LAST_WAIT = 1000;
const PATIENCE = 20_000;

/** Follows the requests made here until they are decided, so that each gets its receipt. */
export class Follower {
  constructor(
    private client: Client,
    private refresher: Refresher
  ) {
    refresher.touched.connect((_, { ids }) => {
      this.open.forEach(({ process }, id) => {
        if (ids === null || ids.has(process.process_id)) {
          void this.look(id);
        }
      });
    });
  }

  /** A request of ours was decided. */
  get decided(): ISignal<this, { process: IProcess; request: IRequest }> {
    return this._decided;
  }

  isOwn(requestId: string): boolean {
    return this.own.has(requestId);
  }

  follow(process: IProcess, request: IRequest): void {
    this.own.add(request.request_id);
    this.open.set(request.request_id, { process, since: Date.now() });
    if (request.outcome !== null) {
      this.close(request);
    } else {
      this.again(request.request_id, FIRST_WAIT);
    }
  }

  // Events may be off or slow: look soon after the click, then less and less often, then leave it to events.
  private again(id: string, wait: number): void {
    window.setTimeout(() => {
      const followed = this.open.get(id);
      if (followed && Date.now() - followed.since < PATIENCE) {
        void this.look(id).then(() => this.again(id, Math.min(wait * 1.5, LAST_WAIT)));
      }
    }, wait);
  }

  private async look(id: string): Promise<void> {
    try {
      this.close(await this.client.getRequest(id));
    } catch {
      // The list tells of an unreachable server; the next look may succeed.
    }
  }

  private close(request: IRequest): void {
    const followed = this.open.get(request.request_id);
    if (followed && request.outcome !== null) {
      this.open.delete(request.request_id);
      this._decided.emit({ process: followed.process, request });
      void this.refresher.refresh();
    }
  }

  private own = new Set<string>();
  private open = new Map<string, { process: IProcess; since: number }>();
  private _decided = new Signal<this, { process: IProcess; request: IRequest }>(this);
}
