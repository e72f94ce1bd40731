import type { IStateDB } from '@jupyterlab/statedb';

import type { PanelModel } from '../model/panel';

const KEY = 'tablevault-ext:seen';
const KEEP = 1000;

/** Which failures the user has marked as seen outlives a reload of the page. */
export function rememberSeen(model: PanelModel, state: IStateDB | null): void {
  if (!state) {
    return;
  }
  void state.fetch(KEY).then(value => {
    if (Array.isArray(value)) {
      model.markSeen(value as string[]);
    }
    let saved = model.seen;
    model.changed.connect(() => {
      if (model.seen !== saved) {
        saved = model.seen;
        void state.save(KEY, [...saved].slice(-KEEP));
      }
    });
  });
}
