import type { TranslationBundle } from '@jupyterlab/translation';

import type { Action, IChildren, IProcess, Kind, Outcome, Status } from '../api/types';
import type { ICell } from '../api/details';

/** The words of states, actions and kinds, in the user's language. */

export function statusWord(status: Status, trans: TranslationBundle): string {
  const words: Record<Status, string> = {
    running: trans.__('running'),
    pausing: trans.__('pausing…'),
    paused: trans.__('paused'),
    stopping: trans.__('stopping…'),
    stopped: trans.__('stopped'),
    finished: trans.__('finished'),
    failed: trans.__('failed'),
    lost: trans.__('lost'),
    unknown: trans.__('unknown')
  };
  return words[status] ?? status;
}

/** A kernel that runs is busy or idle, which says more than that it runs. */
export function stateWord(process: IProcess, trans: TranslationBundle): string {
  if (process.status === 'running' && process.activity) {
    return process.activity === 'idle' ? trans.__('idle') : trans.__('busy');
  }
  return statusWord(process.status, trans);
}

export function actionWord(action: Action, trans: TranslationBundle): string {
  return { stop: trans.__('Stop'), pause: trans.__('Pause'), resume: trans.__('Resume') }[action];
}

export function outcomeWord(outcome: Outcome | null, trans: TranslationBundle): string {
  const words: Record<Outcome, string> = {
    effective: trans.__('took effect'),
    withdrawn: trans.__('withdrawn'),
    superseded: trans.__('superseded'),
    failed: trans.__('failed'),
    lost: trans.__('lost'),
    interrupted: trans.__('interrupted')
  };
  return outcome === null ? trans.__('pending') : (words[outcome] ?? outcome);
}

export function cellWord(status: ICell['status'], trans: TranslationBundle): string {
  const words: Record<ICell['status'], string> = {
    running: trans.__('running'),
    ok: trans.__('ok'),
    error: trans.__('error'),
    aborted: trans.__('aborted'),
    lost: trans.__('never ended')
  };
  return words[status] ?? status;
}

export function kindWord(kind: Kind, trans: TranslationBundle): string {
  const words: Record<Kind, string> = {
    notebook: trans.__('notebook'),
    script: trans.__('script'),
    command: trans.__('command'),
    worker: trans.__('worker')
  };
  return words[kind] ?? kind;
}

/** "4 workers, 1 command"; empty if there are none. */
export function countWords(counts: Partial<IChildren>, trans: TranslationBundle, actors = 0): string {
  const some = (n: number | undefined, words: (n: number) => string) => (n ? [words(n)] : []);
  return [
    ...some(counts.notebook, n => trans._n('%1 notebook', '%1 notebooks', n)),
    ...some(counts.script, n => trans._n('%1 script', '%1 scripts', n)),
    ...some(counts.worker, n => trans._n('%1 worker', '%1 workers', n)),
    ...some(counts.command, n => trans._n('%1 command', '%1 commands', n)),
    ...some(counts.unrecorded, n => trans._n('%1 other process', '%1 other processes', n)),
    ...some(actors, n => trans._n('%1 actor', '%1 actors', n))
  ].join(', ');
}
