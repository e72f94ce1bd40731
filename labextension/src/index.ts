import type { JupyterFrontEndPlugin } from '@jupyterlab/application';

import { noticesPlugin } from './plugins/notices';
import { notificationsPlugin } from './plugins/notifications';
import { panelPlugin } from './plugins/panel';
import { statusBarPlugin } from './plugins/statusBar';

const plugins: JupyterFrontEndPlugin<unknown>[] = [
  panelPlugin,
  noticesPlugin,
  notificationsPlugin,
  statusBarPlugin
];

export { IProcessPanel } from './tokens';
export default plugins;
