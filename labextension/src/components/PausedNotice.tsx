import { runIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import { waiting } from '../model/receipts';
import { Ago } from './Ago';
import { useModel, usePanel } from './context';
import { StatusMark } from './StatusMark';

/** "Paused by ana 3 minutes ago: disk. Resume" */
export function PausedNotice({ processId }: { processId: string }): React.ReactElement | null {
  const { control, trans } = usePanel();
  const { store } = useModel();
  const ago = React.useCallback((time: string) => trans.__('%1 ago', time), [trans]);
  const process = store.processes.get(processId);
  if (!process) {
    return null;
  }
  const { request, status } = process;
  const paused = status === 'paused';
  const by = request?.requested_by ?? '';
  const head = process.paused_from_outside
    ? trans.__('Paused from outside')
    : paused
      ? by
        ? trans.__('Paused by %1', by)
        : trans.__('Paused')
      : by
        ? trans.__('Pausing, asked by %1', by)
        : trans.__('Pausing');
  const why = paused ? request?.reason : request && waiting(request, trans);
  return (
    <div className="tv-Notice-body" role="alert">
      <StatusMark status={status} />
      <span className="tv-ellipsis">
        {head} <Ago since={(paused ? request?.effective_at : request?.requested_at) ?? null} words={ago} />
        {why ? `: ${why}` : '.'}
      </span>
      <button className="tv-Notice-resume" onClick={() => void control.resume([process])}>
        <runIcon.react tag="span" />
        {paused ? trans.__('Resume') : trans.__('Withdraw')}
      </button>
    </div>
  );
}
