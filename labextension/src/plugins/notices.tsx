import type { JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ReactWidget } from '@jupyterlab/apputils';
import { INotebookTracker, type NotebookPanel } from '@jupyterlab/notebook';
import * as React from 'react';

import { PanelContext } from '../components/context';
import { PausedNotice } from '../components/PausedNotice';
import { IProcessPanel } from '../tokens';
import { processOf } from './notebooks';

const SHOWN = ['paused', 'pausing'];

/** A paused notebook says so above its cells, and one click ends it. */
export const noticesPlugin: JupyterFrontEndPlugin<void> = {
  id: 'tablevault-ext:notices',
  description: 'The notice above the cells of a paused notebook.',
  autoStart: true,
  requires: [IProcessPanel],
  optional: [INotebookTracker],
  activate: (_, panel: IProcessPanel, notebooks: INotebookTracker | null) => {
    if (!notebooks) {
      return; // a page without notebooks, as Notebook 7's file browser
    }
    const widgets = new Map<NotebookPanel, Notice>();
    const look = (notebook: NotebookPanel) => {
      const process = processOf(notebook, panel.model.store);
      const old = widgets.get(notebook);
      if (!process || !SHOWN.includes(process.status)) {
        old?.dispose();
        widgets.delete(notebook);
      } else if (!old) {
        const notice = new Notice(panel, process.process_id);
        widgets.set(notebook, notice);
        notebook.contentHeader.addWidget(notice);
      }
    };
    const lookAtAll = () => notebooks.forEach(look);
    panel.model.store.changed.connect(lookAtAll);
    notebooks.widgetAdded.connect((_, notebook) => {
      notebook.sessionContext.kernelChanged.connect(() => look(notebook));
      void notebook.sessionContext.ready.then(() => look(notebook));
      notebook.disposed.connect(() => widgets.delete(notebook));
    });
  }
};

class Notice extends ReactWidget {
  constructor(
    private panel: IProcessPanel,
    private processId: string
  ) {
    super();
    this.addClass('tv-Notice');
  }

  protected override render(): React.ReactElement {
    return (
      <PanelContext.Provider value={this.panel}>
        <PausedNotice processId={this.processId} />
      </PanelContext.Provider>
    );
  }
}
