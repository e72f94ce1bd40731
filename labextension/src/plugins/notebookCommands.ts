import type { INotebookTracker } from '@jupyterlab/notebook';
import { pauseIcon, runIcon } from '@jupyterlab/ui-components';
import type { CommandRegistry } from '@lumino/commands';

import { refusal } from '../model/actions';
import { isLive } from '../model/status';
import type { IProcessPanel } from '../tokens';
import { CommandIDs } from './ids';
import { processOf, startRecording } from './notebooks';

/** Pause and stop for the notebook that is being worked in: a toolbar button and the Kernel menu. */
export function addNotebookCommands(
  panel: IProcessPanel,
  notebooks: INotebookTracker | null,
  defaultKernel: () => string | undefined,
  add: (id: string, options: CommandRegistry.ICommandOptions) => void
): void {
  const { commands, control, model, trans } = panel;
  const current = () => {
    const process = processOf(notebooks?.currentWidget, model.store);
    return process && isLive(process) ? process : null;
  };
  const resumes = () => ['paused', 'pausing'].includes(current()?.status ?? '');
  const label = () => (resumes() ? trans.__('Resume Notebook') : trans.__('Pause Notebook'));
  const short = () => (resumes() ? trans.__('Resume') : trans.__('Pause'));
  const why = () => {
    const process = current();
    return process && refusal(process, resumes() ? 'resume' : 'pause', model.canControl, trans);
  };
  add(CommandIDs.toggleNotebook, {
    // In the toolbar with its word: a bare triangle there means *run*.
    label: args => (args.toolbar ? short() : label()),
    caption: () => why() ?? label(),
    icon: () => (resumes() ? runIcon : pauseIcon),
    className: () => (resumes() ? 'tv-ResumeButton' : ''),
    isEnabled: () => current() !== null && why() === null,
    isVisible: args => !args.toolbar || current() !== null,
    execute: () => {
      const process = current();
      return process && (resumes() ? control.resume([process]) : control.pause([process]));
    }
  });
  add(CommandIDs.stopNotebook, {
    label: trans.__('Stop Notebook…'),
    isEnabled: () => current() !== null,
    execute: () => {
      const process = current();
      return process && control.stop([process]);
    }
  });
  add(CommandIDs.startRecording, {
    label: trans.__('Record the Current Notebook'),
    execute: async () => {
      if (!notebooks?.currentWidget) {
        await commands.execute('notebook:create-new', { kernelName: defaultKernel() ?? '' });
      }
      const opened = notebooks?.currentWidget;
      if (opened) {
        await startRecording(opened);
        await panel.refresher.refresh();
      }
    }
  });

  let shown = '';
  const changed = () => {
    const process = current();
    const now = `${process?.process_id} ${process?.status} ${why()}`;
    if (now !== shown) {
      shown = now;
      commands.notifyCommandChanged(CommandIDs.toggleNotebook);
      commands.notifyCommandChanged(CommandIDs.stopNotebook);
    }
  };
  model.changed.connect(changed);
  notebooks?.currentChanged.connect(changed);
}
