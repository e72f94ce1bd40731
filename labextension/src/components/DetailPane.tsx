import { ellipsesIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { Tab } from '../model/panel';
import { isLive } from '../model/status';
import { ActionButton } from './ActionButton';
import { useModel, usePanel } from './context';
import { CellsTab } from './details/CellsTab';
import { ErrorsTab } from './details/ErrorsTab';
import { LogsTab } from './details/LogsTab';
import { PostMortemTab } from './details/PostMortemTab';
import { ProgressTab } from './details/ProgressTab';
import { RequestsTab } from './details/RequestsTab';
import { TreeTab } from './details/TreeTab';
import { openBulkMenu } from './menus';
import { StatusMark } from './StatusMark';
import { TabBar } from './TabBar';

const TABS = {
  cells: CellsTab,
  errors: ErrorsTab,
  logs: LogsTab,
  progress: ProgressTab,
  tree: TreeTab,
  requests: RequestsTab,
  'post-mortem': PostMortemTab
};

/** The lower half: the chosen process, its buttons and its tabs; of several, the buttons alone. */
export function DetailPane(): React.ReactElement | null {
  const panel = usePanel();
  const { trans } = panel;
  const model = useModel();
  const { chosen, current } = model;
  if (chosen.length === 0) {
    return <p className="tv-Empty">{trans.__('Choose a process to see what it does.')}</p>;
  }
  const tabs = (Object.keys(TABS) as Tab[]).filter(
    tab => tab !== 'post-mortem' || (current !== null && !isLive(current))
  );
  const tab = tabs.includes(model.tab) ? model.tab : 'cells';
  const Content = TABS[tab];
  return (
    <>
      <div className="tv-DetailHead">
        {current && <StatusMark status={current.status} />}
        <span className="tv-Name tv-ellipsis">
          {current ? current.name : trans._n('%1 process', '%1 processes', chosen.length)}
        </span>
        {current && current.run > 1 && <span className="tv-Run">#{current.run}</span>}
        <span className="tv-Actions" role="group" aria-label={trans.__('Control')}>
          <ActionButton action="pause" processes={chosen} />
          <ActionButton action="resume" processes={chosen} />
          <ActionButton action="stop" processes={chosen} />
        </span>
        <button
          className="tv-Icon"
          aria-label={trans.__('More actions')}
          title={trans.__('More actions')}
          onClick={event => openBulkMenu(panel, event)}
        >
          <ellipsesIcon.react tag="span" elementSize="normal" />
        </button>
      </div>
      {current && (
        <>
          <TabBar tabs={tabs} tab={tab} />
          <div
            className="tv-TabPanel"
            role="tabpanel"
            id="tv-tabpanel"
            aria-labelledby={`tv-tab-${tab}`}
            tabIndex={0}
          >
            <Content key={current.process_id} process={current} />
          </div>
        </>
      )}
    </>
  );
}
