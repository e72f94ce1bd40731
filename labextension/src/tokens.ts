import { Token } from '@lumino/coreutils';

import type { IPanel } from './components/context';
import type { IProcess } from './api/types';

/** The panel's parts, for the plugins around it. */
export interface IProcessPanel extends IPanel {
  readonly visible: boolean;
  /** Open the panel, and show one process in it. */
  show(process?: IProcess): void;
}

export const IProcessPanel = new Token<IProcessPanel>(
  'tablevault-ext:IProcessPanel',
  'The process panel: its model, its clock and its control.'
);
