import { ReactWidget } from '@jupyterlab/apputils';
import type { Message } from '@lumino/messaging';
import { Panel, SplitPanel } from '@lumino/widgets';
import * as React from 'react';

import { processesIcon } from '../icons';
import { PanelContext, type IPanel } from './context';
import { DetailPane } from './DetailPane';
import { FootPane } from './FootPane';
import { ListPane } from './ListPane';

/** The sidebar: the list above, the chosen process below, the machine at the foot. Hidden, it draws and asks nothing. */
export class ProcessPanel extends Panel {
  constructor(private panel: IPanel) {
    super();
    const { trans } = panel;
    this.id = 'tablevault-panel';
    this.addClass('tv-Panel');
    this.title.icon = processesIcon;
    this.title.caption = trans.__('Processes');
    this.node.setAttribute('role', 'region');
    this.node.setAttribute('aria-label', trans.__('Processes'));
    const split = new SplitPanel({ orientation: 'vertical', spacing: 1 });
    split.addClass('tv-Split');
    split.addWidget(this.pane('tv-ListPane', ListPane));
    split.addWidget(this.pane('tv-DetailPane', DetailPane));
    split.setRelativeSizes([0.55, 0.45]);
    this.addWidget(split);
    this.addWidget(this.pane('tv-FootPane', FootPane));
  }

  protected override onAfterShow(message: Message): void {
    super.onAfterShow(message);
    this.wake();
  }

  protected override onAfterAttach(message: Message): void {
    super.onAfterAttach(message);
    this.wake();
  }

  protected override onBeforeHide(message: Message): void {
    super.onBeforeHide(message);
    this.sleep();
  }

  protected override onBeforeDetach(message: Message): void {
    super.onBeforeDetach(message);
    this.sleep();
  }

  private wake(): void {
    if (this.isVisible && !this.unwatch) {
      this.unwatch = this.panel.refresher.watch();
      this.panes.forEach(pane => pane.update());
    }
  }

  private sleep(): void {
    this.unwatch?.();
    this.unwatch = null;
    this.panes.forEach(pane => pane.update());
  }

  private pane(name: string, Content: React.ComponentType): ReactWidget {
    const draw = () =>
      this.unwatch ? (
        <PanelContext.Provider value={this.panel}>
          <Content />
        </PanelContext.Provider>
      ) : null;
    const pane = new Pane(draw);
    pane.addClass(name);
    this.panes.push(pane);
    return pane;
  }

  private panes: ReactWidget[] = [];
  private unwatch: (() => void) | null = null;
}

class Pane extends ReactWidget {
  constructor(private draw: () => React.ReactElement | null) {
    super();
  }

  protected override render(): React.ReactElement | null {
    return this.draw();
  }
}
