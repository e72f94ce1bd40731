import type { Event } from '@jupyterlab/services';
import { Poll, Throttler } from '@lumino/polling';
import { Signal, type ISignal } from '@lumino/signaling';

import type { Client } from '../api/client';
import { millis } from '../format/time';
import type { Clock } from './clock';
import type { Store } from './store';

const SCHEMA = 'https://schema.tablevault.dev/changed/v1';
/** Milliseconds between two answers at the least, however fast events come. */
const RATE = 250;

/** Which processes changed in what; null means any. */
export interface ITouch {
  ids: ReadonlySet<string> | null;
  parts: ReadonlySet<string>;
}

/**
 * Keeps the store true: events say when to ask, REST answers, a slow poll is the net under both.
 *
 * While nobody watches, nothing is polled and only events about states and requests count.
 */
export class Refresher {
  endedHours = 24;

  constructor(
    private client: Client,
    private store: Store,
    private clock: Clock,
    stream: Event.Stream
  ) {
    this.poll = new Poll<void, Error>({
      auto: false,
      name: 'tablevault-ext:processes',
      factory: () => this.fetch(),
      frequency: { interval: 3000, backoff: 1.3, max: 10_000 },
      standby: 'when-hidden'
    });
    this.throttler = new Throttler(() => this.refresh(), { limit: RATE, edge: 'trailing' });
    stream.connect((_, event) => this.onEvent(event));
    document.addEventListener('visibilitychange', () => this.onVisibility());
    void this.refresh();
  }

  get touched(): ISignal<this, ITouch> {
    return this._touched;
  }

  set seconds(value: number) {
    this.poll.frequency = { ...this.poll.frequency, interval: value * 1000 };
  }

  /** Somebody looks at the list: keep it fresh until the returned function is called. */
  watch(): () => void {
    this.watchers += 1;
    if (this.watchers === 1) {
      this.store.forget(); // what came while nobody looked had no CPU history
      void this.poll.start().then(() => this.refresh());
    }
    return () => {
      this.watchers -= 1;
      if (this.watchers === 0) {
        void this.poll.stop();
      }
    };
  }

  /** Ask now; resolves when the answer is there, or known not to come. */
  async refresh(): Promise<void> {
    if (this.watchers > 0) {
      await this.poll.refresh();
      await this.poll.tick;
    } else {
      await this.fetch().catch(() => undefined);
    }
  }

  private async fetch(): Promise<void> {
    const history = this.watchers > 0 ? 30 : 0;
    try {
      const query = { ended_within: this.endedHours * 3600, history, since: this.store.since };
      const list = await this.client.list(query);
      this.clock.set(millis(list.server_time));
      this.store.apply(list);
    } catch (error) {
      this.store.fail(error);
      throw error; // the poll backs off
    }
  }

  private onEvent(event: Event.Emission): void {
    if (event.schema_id !== SCHEMA) {
      return;
    }
    const parts = new Set(event.parts as string[]);
    const ids = event.process_ids as string[] | undefined;
    this._touched.emit({ ids: ids ? new Set(ids) : null, parts });
    // CPU and memory come at the poll's pace; what only a tab shows is the tab's business.
    const watched = this.watchers > 0 && ['progress', 'cells', 'errors'].some(part => parts.has(part));
    const news = watched || ['processes', 'requests', 'notice'].some(part => parts.has(part));
    if (news && document.hidden) {
      this.missed = true;
    } else if (news) {
      void this.throttler.invoke();
    }
  }

  private onVisibility(): void {
    if (!document.hidden && this.missed) {
      this.missed = false;
      void this.throttler.invoke();
    }
  }

  private watchers = 0;
  private missed = false;
  private poll: Poll<void, Error>;
  private throttler: Throttler;
  private _touched = new Signal<this, ITouch>(this);
}
