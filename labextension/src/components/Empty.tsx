import * as React from 'react';

import { CommandIDs } from '../plugins/ids';
import { useModel, usePanel } from './context';

/** An empty list explains itself. */
export function Empty(): React.ReactElement | null {
  const { commands, trans } = usePanel();
  const model = useModel();
  const { store, view } = model;
  if (!store.loaded && !store.error) {
    return <p className="tv-Empty">{trans.__('Asking the server…')}</p>;
  }
  if (store.processes.size > 0) {
    return (
      <div className="tv-Empty">
        <p>{trans.__('Nothing matches. %1 processes are hidden by the filter.', store.processes.size)}</p>
        <button className="tv-Link" onClick={() => model.look({ text: '', mine: false })}>
          {trans.__('Show all')}
        </button>
      </div>
    );
  }
  if (store.error) {
    return null;
  }
  return (
    <div className="tv-Empty">
      <p>{trans.__('Nothing is being recorded yet.')}</p>
      <p>
        {trans.__('Run this in a notebook:')} <code>%load_ext tablevault_ext</code>
        <br />
        {trans.__('or this in a terminal:')} <code>tablevault run script.py</code>
      </p>
      {view.text === '' && (
        <button
          className="jp-mod-styled jp-mod-accept"
          title={trans.__('Insert and run the line in the current notebook')}
          onClick={() => void commands.execute(CommandIDs.startRecording)}
        >
          {trans.__('Record the current notebook')}
        </button>
      )}
    </div>
  );
}
