import { ILayoutRestorer, type JupyterFrontEnd, type JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { INotebookTracker } from '@jupyterlab/notebook';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { IStateDB } from '@jupyterlab/statedb';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { Client } from '../api/client';
import { ProcessPanel } from '../components/ProcessPanel';
import type { IPanel } from '../components/context';
import { Control } from '../control/control';
import { Follower } from '../control/follower';
import { Clock } from '../model/clock';
import { PanelModel } from '../model/panel';
import { Refresher } from '../model/refresher';
import { choose } from '../model/selection';
import { Settings } from '../model/settings';
import { Store } from '../model/store';
import { IProcessPanel } from '../tokens';
import { addCommands } from './commands';
import { learnRights } from './rights';
import { rememberSeen } from './seen';

const ID = 'tablevault-ext:panel';

/** The sidebar with its model, commands and settings. */
export const panelPlugin: JupyterFrontEndPlugin<IProcessPanel> = {
  id: ID,
  description: 'The process panel: everything that runs, as one tree, with its controls.',
  autoStart: true,
  provides: IProcessPanel,
  optional: [ICommandPalette, ILayoutRestorer, INotebookTracker, ISettingRegistry, IStateDB, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    palette: ICommandPalette | null,
    restorer: ILayoutRestorer | null,
    notebooks: INotebookTracker | null,
    registry: ISettingRegistry | null,
    state: IStateDB | null,
    translator: ITranslator | null
  ): IProcessPanel => {
    const trans = (translator ?? nullTranslator).load('tablevault_ext');
    const { events, serverSettings } = app.serviceManager;
    const [client, clock, settings, store] = [
      new Client(serverSettings),
      new Clock(),
      new Settings(),
      new Store()
    ];
    const model = new PanelModel(store);
    const refresher = new Refresher(client, store, clock, events.stream);
    const control = new Control(client, store, refresher, new Follower(client, refresher), settings, trans);
    const parts: IPanel = {
      client,
      clock,
      commands: app.commands,
      control,
      model,
      refresher,
      settings,
      trans
    };
    const widget = new ProcessPanel(parts);
    const panel: IProcessPanel = Object.defineProperty(
      {
        ...parts,
        visible: false,
        show: process => {
          app.shell.activateById(widget.id);
          if (process) {
            model.select(choose(process.process_id));
          }
        }
      },
      'visible',
      { get: () => widget.isVisible }
    );

    settings.changed.connect((_, { endedHours, refreshSeconds, sort }) => {
      const more = endedHours !== refresher.endedHours;
      refresher.endedHours = endedHours;
      refresher.seconds = refreshSeconds;
      if (sort !== model.view.sort) {
        model.sortBy(sort);
      }
      if (more) {
        store.forget();
        void refresher.refresh();
      }
    });
    registry
      ?.load(ID)
      .then(loaded => settings.follow(loaded))
      .catch(() => undefined); // without its schema the defaults hold
    learnRights(client, model);
    rememberSeen(model, state);
    addCommands(app, panel, notebooks, palette);
    app.shell.add(widget, 'right', { rank: 600, type: 'Processes' });
    restorer?.add(widget, widget.id);
    return panel;
  }
};
