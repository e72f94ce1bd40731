import { Signal, type ISignal } from '@lumino/signaling';
import type { TranslationBundle } from '@jupyterlab/translation';

import { ApiError } from '../api/fetch';
import type { Client } from '../api/client';
import type { INewRequest, IProcess, IRequest } from '../api/types';
import { confirmPlain } from '../dialogs/confirm';
import { confirmResume } from '../dialogs/resume';
import { askRunAgain } from '../dialogs/runAgain';
import { confirmStop } from '../dialogs/stop';
import type { Refresher } from '../model/refresher';
import type { Settings } from '../model/settings';
import type { Store } from '../model/store';
import { receipt, waiting } from '../model/receipts';
import type { Follower } from './follower';

/** What the last action came to, as a quiet line; `bad` if it was refused. */
export interface IAnswer {
  text: string;
  bad: boolean;
}

/** Stop, pause, resume, withdraw, run again: asks where asking is due, sends, and says what was observed. */
export class Control {
  answer: IAnswer | null = null;

  constructor(
    private client: Client,
    private store: Store,
    private refresher: Refresher,
    private follower: Follower,
    private settings: Settings,
    private trans: TranslationBundle
  ) {
    follower.decided.connect((_, { process, request }) => {
      const bad = request.outcome === 'failed' || request.outcome === 'lost';
      this.say(receipt(process, request, trans), bad);
    });
  }

  get answered(): ISignal<this, IAnswer> {
    return this._answered;
  }

  async pause(processes: IProcess[], now = false): Promise<void> {
    if (!this.settings.values.confirmPauseResume || (await confirmPlain('pause', processes, this.trans))) {
      await this.send(processes, { action: 'pause', now });
    }
  }

  async resume(processes: IProcess[]): Promise<void> {
    const options = { ask: this.settings.values.confirmPauseResume, host: this.store.host };
    if (await confirmResume(this.client, processes, options, this.trans)) {
      await this.send(processes, { action: 'resume' });
    }
  }

  async stop(processes: IProcess[], now = false): Promise<void> {
    const options = { now, grace: this.settings.values.graceSeconds };
    const choice = await confirmStop(this.client, processes, options, this.trans);
    if (choice) {
      await this.send(processes, { action: 'stop', ...choice });
    }
  }

  /** The pending request, but now. Ending things asks first, as ever. */
  async escalate(process: IProcess): Promise<void> {
    const request = process.request;
    if (request?.action === 'stop') {
      await this.stop([process], true);
    } else if (request) {
      await this.send([process], { action: request.action, now: true, reason: request.reason });
    }
  }

  async withdraw(process: IProcess): Promise<void> {
    const request = process.request;
    if (request) {
      await this.attempt(process, () => this.client.withdraw(request.request_id));
      void this.refresher.refresh();
    }
  }

  async runAgain(process: IProcess): Promise<IProcess | null> {
    const body = await askRunAgain(process, this.trans);
    if (!body) {
      return null;
    }
    try {
      const next = await this.client.runAgain(process.process_id, body);
      this.say(this.trans.__('%1 runs again (run %2)', next.name, next.run), false);
      void this.refresher.refresh();
      return next;
    } catch (error) {
      this.fail(process, error);
      return null;
    }
  }

  say(text: string, bad: boolean): void {
    this.answer = { text, bad };
    this._answered.emit(this.answer);
  }

  private async send(processes: IProcess[], body: INewRequest): Promise<void> {
    await Promise.all(
      processes.map(process => this.attempt(process, () => this.client.request(process.process_id, body)))
    );
    void this.refresher.refresh();
  }

  private async attempt(process: IProcess, send: () => Promise<IRequest>): Promise<void> {
    try {
      const request = await send();
      if (request.outcome === null) {
        this.say(`${process.name}: ${waiting(request, this.trans)}`, false);
      }
      this.follower.follow(process, request);
    } catch (error) {
      this.fail(process, error);
    }
  }

  private fail(process: IProcess, error: unknown): void {
    const text = error instanceof Error ? error.message : String(error);
    const known = error instanceof ApiError && error.status !== 0;
    this.say(
      known ? text : this.trans.__('%1: the server could not be reached (%2)', process.name, text),
      true
    );
  }

  private _answered = new Signal<this, IAnswer>(this);
}
