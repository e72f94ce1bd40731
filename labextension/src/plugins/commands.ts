import type { JupyterFrontEnd } from '@jupyterlab/application';
import type { ICommandPalette } from '@jupyterlab/apputils';
import type { INotebookTracker } from '@jupyterlab/notebook';
import { pauseIcon, refreshIcon, runIcon, stopIcon } from '@jupyterlab/ui-components';
import type { CommandRegistry } from '@lumino/commands';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';

import type { Action, IProcess } from '../api/types';
import { refusal, rerunRefusal } from '../model/actions';
import { isLive, isPending } from '../model/status';
import type { IProcessPanel } from '../tokens';
import { CommandIDs } from './ids';
import { addNotebookCommands } from './notebookCommands';
import { processOf } from './notebooks';
import { addViewCommands } from './viewCommands';

export type Targets = (args: ReadonlyPartialJSONObject) => IProcess[];

/** Everything that can be done, for palette, menus, keyboard and other extensions. */
export function addCommands(
  app: JupyterFrontEnd,
  panel: IProcessPanel,
  notebooks: INotebookTracker | null,
  palette: ICommandPalette | null
): void {
  const { commands } = app;
  const { control, model, trans } = panel;

  // `process_id` names one; else what is chosen in the panel; else the notebook that is being worked in.
  const targets: Targets = args => {
    if (typeof args.process_id === 'string') {
      const process = model.store.processes.get(args.process_id);
      return process ? [process] : [];
    }
    if (model.chosen.length > 0) {
      return model.chosen;
    }
    const process = processOf(notebooks?.currentWidget, model.store);
    return process ? [process] : [];
  };
  const able = (action: Action, args: ReadonlyPartialJSONObject) =>
    targets(args).filter(process => refusal(process, action, model.canControl, trans) === null);
  // A request *now* waits for no checkpoint: it can be neither taken back nor hurried.
  const waiting = (args: ReadonlyPartialJSONObject) =>
    targets(args).filter(process => model.canControl && isPending(process) && !process.request?.now);
  const one = (args: ReadonlyPartialJSONObject) => (targets(args).length === 1 ? targets(args)[0] : null);

  const add = (id: string, options: CommandRegistry.ICommandOptions) => {
    commands.addCommand(id, options);
    palette?.addItem({ command: id, category: trans.__('Processes') });
  };
  const addControl = (
    id: string,
    label: string,
    action: Action,
    icon: CommandRegistry.ICommandOptions['icon'],
    act: (processes: IProcess[]) => Promise<void>
  ) =>
    add(id, {
      label,
      icon,
      caption: args => {
        const [first] = targets(args);
        return (first && refusal(first, action, model.canControl, trans)) ?? label;
      },
      isEnabled: args => able(action, args).length > 0,
      execute: args => act(able(action, args))
    });

  addControl(CommandIDs.pause, trans.__('Pause'), 'pause', pauseIcon, all => control.pause(all));
  addControl(CommandIDs.resume, trans.__('Resume'), 'resume', runIcon, all => control.resume(all));
  addControl(CommandIDs.stop, trans.__('Stop…'), 'stop', stopIcon, all => control.stop(all));
  addControl(CommandIDs.pauseNow, trans.__('Pause Now'), 'pause', undefined, all => control.pause(all, true));
  addControl(CommandIDs.stopNow, trans.__('Stop Now…'), 'stop', undefined, all => control.stop(all, true));
  add(CommandIDs.withdraw, {
    label: trans.__('Withdraw Request'),
    isEnabled: args => waiting(args).length > 0,
    execute: args => Promise.all(waiting(args).map(process => control.withdraw(process)))
  });
  add(CommandIDs.escalate, {
    label: trans.__('Do Not Wait for a Checkpoint'),
    isEnabled: args => waiting(args).length > 0,
    execute: args => Promise.all(waiting(args).map(process => control.escalate(process)))
  });
  add(CommandIDs.runAgain, {
    label: trans.__('Run Again…'),
    caption: args => {
      const process = one(args);
      return (process && rerunRefusal(process, model.canRun, trans)) ?? trans.__('Run Again…');
    },
    isEnabled: args => {
      const process = one(args);
      return process !== null && rerunRefusal(process, model.canRun, trans) === null;
    },
    execute: async args => {
      const process = one(args);
      const next = process && (await control.runAgain(process));
      if (next) {
        model.store.put(next);
        panel.show(next);
      }
    }
  });
  add(CommandIDs.markSeen, {
    label: trans.__('Mark as Seen'),
    isEnabled: args => targets(args).some(process => !isLive(process)),
    execute: args =>
      model.markSeen(
        targets(args)
          .filter(p => !isLive(p))
          .map(p => p.process_id)
      )
  });
  add(CommandIDs.copyName, {
    label: trans.__('Copy Name'),
    isEnabled: args => targets(args).length > 0,
    execute: args => {
      const names = targets(args).map(process =>
        process.run > 1 ? `${process.name}#${process.run}` : process.name
      );
      return navigator.clipboard.writeText(names.join('\n'));
    }
  });
  add(CommandIDs.refresh, {
    label: trans.__('Refresh Processes'),
    icon: refreshIcon,
    execute: () => panel.refresher.refresh()
  });
  addViewCommands(app, panel, targets, add);
  addNotebookCommands(panel, notebooks, () => app.serviceManager.kernelspecs.specs?.default, add);
}
