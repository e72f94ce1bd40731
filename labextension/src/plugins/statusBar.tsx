import type { JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ReactWidget } from '@jupyterlab/apputils';
import { IStatusBar } from '@jupyterlab/statusbar';
import * as React from 'react';

import { PanelContext } from '../components/context';
import { StatusCounts } from '../components/StatusCounts';
import { IProcessPanel } from '../tokens';

/** How many run, are paused, have failed; a click opens the panel. */
export const statusBarPlugin: JupyterFrontEndPlugin<void> = {
  id: 'tablevault-ext:status-bar',
  description: 'Counts of running, paused and failed processes in the status bar.',
  autoStart: true,
  requires: [IProcessPanel],
  optional: [IStatusBar],
  activate: (_, panel: IProcessPanel, statusBar: IStatusBar | null) => {
    if (!statusBar) {
      return; // Notebook 7 has none
    }
    const item = ReactWidget.create(
      <PanelContext.Provider value={panel}>
        <StatusCounts onClick={() => panel.show()} />
      </PanelContext.Provider>
    );
    item.addClass('tv-StatusBar');
    statusBar.registerStatusItem('tablevault-ext:status-bar', {
      item,
      align: 'left',
      rank: 5,
      isActive: () => panel.settings.values.showStatusBar && panel.model.store.processes.size > 0,
      activeStateChanged: panel.model.store.changed
    });
  }
};
