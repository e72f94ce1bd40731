import type { Client } from '../api/client';
import type { PanelModel } from '../model/panel';

/** Ask once for each start of the server who we are and what we may do. */
export function learnRights(client: Client, model: PanelModel): void {
  let known: string | null = null;
  model.store.changed.connect(({ serverStartedAt, error }) => {
    if (error || serverStartedAt === null || serverStartedAt === known) {
      return;
    }
    known = serverStartedAt;
    client
      .status()
      .then(status => {
        model.userId = status.user_id;
        model.canControl = status.can_control;
        model.canRun = status.can_run;
        model.touch();
      })
      .catch(() => (known = null));
  });
}
