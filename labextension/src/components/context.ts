import type { TranslationBundle } from '@jupyterlab/translation';
import type { CommandRegistry } from '@lumino/commands';
import * as React from 'react';

import type { Client } from '../api/client';
import type { Control } from '../control/control';
import type { Clock } from '../model/clock';
import type { PanelModel } from '../model/panel';
import type { Refresher } from '../model/refresher';
import type { Settings } from '../model/settings';

/** What every part of the panel may need. */
export interface IPanel {
  client: Client;
  clock: Clock;
  commands: CommandRegistry;
  control: Control;
  model: PanelModel;
  refresher: Refresher;
  settings: Settings;
  trans: TranslationBundle;
}

export const PanelContext = React.createContext<IPanel | null>(null);

export function usePanel(): IPanel {
  const panel = React.useContext(PanelContext);
  if (!panel) {
    throw new Error('The panel is drawn outside its context.');
  }
  return panel;
}

/** Draw again whenever the model changes. */
export function useModel(): PanelModel {
  const { model } = usePanel();
  React.useSyncExternalStore(
    React.useCallback(
      listener => {
        model.changed.connect(listener);
        return () => model.changed.disconnect(listener);
      },
      [model]
    ),
    () => model.version
  );
  return model;
}
