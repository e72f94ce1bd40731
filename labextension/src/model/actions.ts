import type { TranslationBundle } from '@jupyterlab/translation';

import type { Action, IProcess } from '../api/types';
import { isLive } from './status';
import { statusWord } from './words';

const ALLOWED: Record<Action, readonly string[]> = {
  pause: ['running'],
  resume: ['paused', 'pausing'],
  stop: ['running', 'pausing', 'paused', 'stopping']
};

/** Why an action makes no sense now, as a sentence for the tooltip; null if it does. */
export function refusal(
  process: IProcess,
  action: Action,
  canControl: boolean,
  trans: TranslationBundle
): string | null {
  if (!isLive(process)) {
    return trans.__('%1 has ended (%2).', process.name, statusWord(process.status, trans));
  }
  if (!canControl) {
    return trans.__('You may look but not control: this server does not permit it.');
  }
  const told = process.refusals[action];
  if (told) {
    return told;
  }
  if (ALLOWED[action].includes(process.status)) {
    return action === 'stop' ? repeatedStop(process, trans) : null;
  }
  if (process.status === 'unknown') {
    return trans.__('Whether %1 is alive cannot be told from here.', process.name);
  }
  return {
    pause: trans.__('It is %1 already.', statusWord(process.status, trans)),
    resume: trans.__('It is not paused.'),
    stop: trans.__('It is %1.', statusWord(process.status, trans))
  }[action];
}

// A second stop is only good for escalating a polite one.
function repeatedStop(process: IProcess, trans: TranslationBundle): string | null {
  return process.status === 'stopping' && process.request?.now
    ? trans.__('It is being stopped already.')
    : null;
}

/** Why a process cannot be run again; null if it can. */
export function rerunRefusal(process: IProcess, canRun: boolean, trans: TranslationBundle): string | null {
  if (process.kind === 'notebook' || process.kind === 'worker' || !process.argv?.length) {
    return trans.__('Only scripts and commands can be run again.');
  }
  return canRun ? (process.refusals.run_again ?? null) : trans.__('This server does not permit it.');
}
