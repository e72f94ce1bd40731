import type { JupyterFrontEnd } from '@jupyterlab/application';
import { Notification } from '@jupyterlab/apputils';
import type { NotebookPanel } from '@jupyterlab/notebook';
import type { CommandRegistry } from '@lumino/commands';

import { processesIcon } from '../icons';
import type { IProcessPanel } from '../tokens';
import type { Targets } from './commands';
import { CommandIDs } from './ids';
import { jumpToCell } from './notebooks';

/** Commands that show something: the panel, a process, its notebook at the cell. */
export function addViewCommands(
  app: JupyterFrontEnd,
  panel: IProcessPanel,
  targets: Targets,
  add: (id: string, options: CommandRegistry.ICommandOptions) => void
): void {
  const { model, trans } = panel;
  add(CommandIDs.showPanel, {
    label: trans.__('Show Processes'),
    icon: processesIcon,
    execute: () => panel.show()
  });
  add(CommandIDs.open, {
    label: trans.__('Open'),
    caption: trans.__('Open the notebook at the cell, or show what the process runs'),
    isEnabled: args => targets(args).length > 0,
    execute: async args => {
      const [process] = targets(args);
      if (process.notebook === null) {
        panel.show(process);
        model.showTab('cells');
        return;
      }
      const cellId =
        typeof args.cell_id === 'string' ? args.cell_id : (process.current_cell?.cell_id ?? null);
      const opened = (await app.commands.execute('docmanager:open', { path: process.notebook })) as
        NotebookPanel | undefined;
      if (opened && cellId !== null && !(await jumpToCell(opened, cellId))) {
        Notification.info(trans.__('That cell is no longer in the notebook.'), { autoClose: 5000 });
      }
    }
  });
  add(CommandIDs.focusFilter, {
    label: trans.__('Filter Processes'),
    execute: () => {
      panel.show();
      // The panel draws itself first when it was hidden.
      requestAnimationFrame(() => document.querySelector<HTMLElement>('.tv-Panel .tv-Filter input')?.focus());
    }
  });
  add(CommandIDs.selectAll, {
    label: trans.__('Select All Processes'),
    execute: () => {
      const keys = model.rows.filter(row => row.type === 'process').map(row => row.key);
      model.select({ chosen: new Set(keys), active: keys[0] ?? null, anchor: keys[0] ?? null });
    }
  });
  add(CommandIDs.settings, {
    label: trans.__('Settings of the Process Panel'),
    execute: () => app.commands.execute('settingeditor:open', { query: 'Processes' })
  });
}
