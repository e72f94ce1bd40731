import { Dialog, showDialog } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';

import type { Action, IProcess } from '../api/types';
import { actionWord } from '../model/words';

/** "train_resnet", or "train_resnet and 3 more". */
export function names(processes: IProcess[], trans: TranslationBundle): string {
  const [first, ...others] = processes;
  return others.length
    ? trans._n('%2 and %1 more', '%2 and %1 more', others.length, first.name)
    : (first?.name ?? '');
}

/** Ask before a pause or a resume; only where a setting says so. */
export async function confirmPlain(
  action: Action,
  processes: IProcess[],
  trans: TranslationBundle
): Promise<boolean> {
  const word = actionWord(action, trans);
  const result = await showDialog({
    title: trans.__('%1 %2?', word, names(processes, trans)),
    body:
      action === 'pause'
        ? trans.__('It waits at its next checkpoint and keeps its memory until it is resumed.')
        : trans.__('It goes on where it stands.'),
    buttons: [Dialog.cancelButton({ label: trans.__('Cancel') }), Dialog.okButton({ label: word })]
  });
  return result.button.accept;
}
