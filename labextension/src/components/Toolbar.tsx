import {
  caretDownIcon,
  ellipsesIcon,
  refreshIcon,
  searchIcon,
  settingsIcon,
  type LabIcon
} from '@jupyterlab/ui-components';
import * as React from 'react';

import { CommandIDs } from '../plugins/ids';
import { useModel, usePanel } from './context';
import { openBulkMenu, openSortMenu } from './menus';

/** Title, filter, whose, order, and the menu for a selection. */
export function Toolbar(): React.ReactElement {
  const panel = usePanel();
  const model = useModel();
  const { commands, trans } = panel;
  const { mine, text } = model.view;
  return (
    <>
      <div className="tv-Title">
        <h2>{trans.__('Processes')}</h2>
        <IconButton
          icon={refreshIcon}
          label={trans.__('Refresh')}
          act={() => void commands.execute(CommandIDs.refresh)}
        />
        <IconButton
          icon={settingsIcon}
          label={trans.__('Settings')}
          act={() => void commands.execute(CommandIDs.settings)}
        />
        <IconButton
          icon={ellipsesIcon}
          label={trans.__('Actions on the selection')}
          act={event => openBulkMenu(panel, event)}
        />
      </div>
      <div className="tv-Toolbar">
        <label className="tv-Filter">
          <searchIcon.react tag="span" />
          <input
            type="search"
            value={text}
            placeholder={trans.__('Filter…')}
            aria-label={trans.__('Filter processes')}
            spellCheck={false}
            onChange={event => model.filter(event.target.value)}
            onKeyDown={event => event.key === 'Escape' && model.filter('')}
          />
        </label>
        <div className="tv-Scope" role="group" aria-label={trans.__('Whose')}>
          <button aria-pressed={!mine} onClick={() => model.look({ mine: false })}>
            {trans.__('All')}
          </button>
          <button aria-pressed={mine} onClick={() => model.look({ mine: true })}>
            {trans.__('Mine')}
          </button>
        </div>
        <IconButton icon={caretDownIcon} label={trans.__('Sort')} act={event => openSortMenu(panel, event)} />
      </div>
    </>
  );
}

function IconButton(props: {
  icon: LabIcon;
  label: string;
  act: (event: React.MouseEvent<HTMLElement>) => void;
}): React.ReactElement {
  return (
    <button className="tv-Icon" aria-label={props.label} title={props.label} onClick={props.act}>
      <props.icon.react tag="span" elementSize="normal" />
    </button>
  );
}
