import type { JupyterFrontEndPlugin } from '@jupyterlab/application';
import { Notification } from '@jupyterlab/apputils';
import { INotebookTracker } from '@jupyterlab/notebook';

import { receipt } from '../model/receipts';
import { transitions, type Transition } from '../model/transitions';
import { IProcessPanel } from '../tokens';
import { inSight } from './notebooks';

const MANY = 3;

/** Tells of a failure, of a lost process, and of a request that took effect in a notebook out of sight. */
export const notificationsPlugin: JupyterFrontEndPlugin<void> = {
  id: 'tablevault-ext:notifications',
  description: 'Notifications for failures, lost processes and requests that took effect out of sight.',
  autoStart: true,
  requires: [IProcessPanel],
  optional: [INotebookTracker],
  activate: (_, panel: IProcessPanel, notebooks: INotebookTracker | null) => {
    const { clock, model, settings, trans } = panel;
    const tell = (transition: Transition) => {
      const { process } = transition;
      const actions = [{ label: trans.__('Show'), callback: () => panel.show(process) }];
      if (transition.type === 'failed') {
        Notification.error(
          `${trans.__('%1 failed', process.name)}${process.error ? `: ${process.error}` : ''}`,
          {
            actions,
            autoClose: 15_000
          }
        );
      } else if (transition.type === 'decided') {
        Notification.info(receipt(process, transition.request, trans), { actions, autoClose: 8000 });
      } else {
        Notification.warning(trans.__('%1 is gone and wrote no ending', process.name), {
          actions,
          autoClose: 15_000
        });
      }
    };
    model.store.updated.connect((_, update) => {
      const { notifyEffects, notifyFailures } = settings.values;
      const all = transitions(update, clock.now());
      const ended = all.filter(({ type }) => notifyFailures && (type === 'failed' || type === 'lost'));
      if (ended.length > MANY) {
        const actions = [{ label: trans.__('Show'), callback: () => panel.show() }];
        Notification.error(trans.__('%1 processes failed or were lost', ended.length), {
          actions,
          autoClose: 15_000
        });
      } else {
        ended.forEach(tell);
      }
      all
        .filter(({ type, process }) => notifyEffects && type === 'decided' && process.kind === 'notebook')
        .filter(({ process }) => !panel.visible && !inSight(process, notebooks))
        .forEach(tell);
    });
  }
};
