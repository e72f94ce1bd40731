import { CommandRegistry } from '@lumino/commands';
import { Menu } from '@lumino/widgets';
import type * as React from 'react';

import { CommandIDs } from '../plugins/ids';
import type { SortKey } from '../model/view';
import type { IPanel } from './context';

const BULK = [
  CommandIDs.pause,
  CommandIDs.resume,
  CommandIDs.stop,
  null,
  CommandIDs.pauseNow,
  CommandIDs.stopNow,
  null,
  CommandIDs.open,
  CommandIDs.runAgain,
  CommandIDs.markSeen,
  CommandIDs.copyName,
  null,
  CommandIDs.selectAll
];

/** What can be done to the selection. */
export function openBulkMenu({ commands }: IPanel, event: React.MouseEvent<HTMLElement>): void {
  const menu = new Menu({ commands });
  BULK.forEach(command => menu.addItem(command ? { command } : { type: 'separator' }));
  open(menu, event);
}

/** The orders, the present one ticked. */
export function openSortMenu({ model, settings, trans }: IPanel, event: React.MouseEvent<HTMLElement>): void {
  const commands = new CommandRegistry();
  const menu = new Menu({ commands });
  const labels: Record<SortKey, string> = {
    started: trans.__('Newest first'),
    name: trans.__('Name'),
    cpu: trans.__('CPU'),
    memory: trans.__('Memory'),
    state: trans.__('State')
  };
  for (const [key, label] of Object.entries(labels) as [SortKey, string][]) {
    const isToggled = () => model.view.sort === key;
    commands.addCommand(key, { label, isToggled, execute: () => settings.save('sort', key) });
    menu.addItem({ command: key });
  }
  open(menu, event);
}

function open(menu: Menu, event: React.MouseEvent<HTMLElement>): void {
  const box = event.currentTarget.getBoundingClientRect();
  menu.aboutToClose.connect(() => requestAnimationFrame(() => menu.dispose()));
  menu.open(box.left, box.bottom);
}
