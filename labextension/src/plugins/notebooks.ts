import { NotebookActions, type INotebookTracker, type NotebookPanel } from '@jupyterlab/notebook';

import type { IProcess } from '../api/types';
import type { Store } from '../model/store';

const LOAD = '%load_ext tablevault_ext';

/** The id of the kernel behind a notebook; null without one. */
export function kernelOf(panel: NotebookPanel | null | undefined): string | null {
  return panel?.sessionContext.session?.kernel?.id ?? null;
}

/** The living process of a notebook's kernel. A restarted kernel keeps its id: the latest run counts. */
export function processOf(panel: NotebookPanel | null | undefined, store: Store): IProcess | null {
  const kernel = kernelOf(panel);
  if (kernel === null) {
    return null;
  }
  let found: IProcess | null = null;
  for (const process of store.processes.values()) {
    if (process.kernel_id === kernel && (!found || process.started_at > found.started_at)) {
      found = process;
    }
  }
  return found;
}

/** Whether a process's notebook can be seen right now. */
export function inSight(process: IProcess, notebooks: INotebookTracker | null): boolean {
  return notebooks?.find(panel => panel.isVisible && kernelOf(panel) === process.kernel_id) !== undefined;
}

/** Select a cell and bring it into view. False if it is no longer in the notebook. */
export async function jumpToCell(panel: NotebookPanel, cellId: string): Promise<boolean> {
  await panel.context.ready;
  await panel.revealed;
  const notebook = panel.content;
  const index = notebook.widgets.findIndex(cell => cell.model.id === cellId);
  if (index < 0) {
    return false;
  }
  notebook.activeCellIndex = index;
  notebook.deselectAll();
  await notebook.scrollToItem(index, 'center');
  return true;
}

/** Put the line that starts recording above a notebook's first cell, and run it. */
export async function startRecording(panel: NotebookPanel): Promise<void> {
  await panel.context.ready;
  await panel.sessionContext.ready;
  const notebook = panel.content;
  notebook.activeCellIndex = 0;
  NotebookActions.insertAbove(notebook);
  notebook.activeCell?.model.sharedModel.setSource(LOAD);
  await NotebookActions.run(notebook, panel.sessionContext);
}
