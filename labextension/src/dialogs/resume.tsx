import { Dialog, showDialog } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';

import type { Client } from '../api/client';
import type { IHost, IProcess } from '../api/types';
import { bytes } from '../format/numbers';
import { plenty } from '../model/memory';
import { confirmPlain, names } from './confirm';

/** Resume asks only if a setting says so, or if the memory may not suffice. */
export async function confirmResume(
  client: Client,
  processes: IProcess[],
  { ask, host }: { ask: boolean; host: IHost | null },
  trans: TranslationBundle
): Promise<boolean> {
  const paused = processes.filter(process => process.status === 'paused' && !plenty(process, host));
  const warning = await shortage(client, paused, trans);
  if (warning === null) {
    return !ask || confirmPlain('resume', processes, trans);
  }
  const result = await showDialog({
    title: trans.__('Resume %1 in spite of little memory?', names(processes, trans)),
    body: warning,
    buttons: [
      Dialog.cancelButton({ label: trans.__('Cancel') }),
      Dialog.warnButton({ label: trans.__('Resume anyway') })
    ],
    defaultButton: 0
  });
  return result.button.accept;
}

async function shortage(
  client: Client,
  paused: IProcess[],
  trans: TranslationBundle
): Promise<string | null> {
  const answers = await Promise.allSettled(
    paused.map(process => client.impact(process.process_id, 'resume'))
  );
  for (const answer of answers) {
    const memory = answer.status === 'fulfilled' ? answer.value.memory : null;
    if (memory?.fits === false) {
      const [needed, available] = [bytes(memory.needed), bytes(memory.available)];
      return trans.__('It held %1 when it was paused, and %2 are free now.', needed, available);
    }
  }
  return null; // whether it fits is unknown, or it fits: no reason to stand in the way
}
