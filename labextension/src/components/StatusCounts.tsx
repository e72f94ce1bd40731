import * as React from 'react';

import type { Status } from '../api/types';
import { groupOf } from '../model/status';
import { useModel, usePanel } from './context';
import { StatusMark } from './StatusMark';

/** "● 2 running ⏸ 1 paused ✕ 1 failed"; what is nought is left out. */
export function StatusCounts({ onClick }: { onClick: () => void }): React.ReactElement {
  const { trans } = usePanel();
  const { seen, store } = useModel();
  const counts = { running: 0, paused: 0, failed: 0 };
  for (const process of store.processes.values()) {
    if (process.status === 'running' || process.status === 'pausing' || process.status === 'stopping') {
      counts.running += 1;
    } else if (process.status === 'paused') {
      counts.paused += 1;
    } else if (process.status !== 'unknown' && groupOf(process, seen) === 'attention') {
      counts.failed += 1;
    }
  }
  const words = {
    running: trans.__('%1 running', counts.running),
    paused: trans.__('%1 paused', counts.paused),
    failed: trans.__('%1 failed', counts.failed)
  };
  const shown = (['running', 'paused', 'failed'] as const).filter(state => counts[state] > 0);
  return (
    <button
      className="tv-StatusCounts"
      title={`${trans.__('Processes')}: ${Object.values(words).join(', ')}`}
      aria-label={`${trans.__('Processes')}: ${Object.values(words).join(', ')}`}
      onClick={onClick}
    >
      {shown.map(state => (
        <span key={state}>
          <StatusMark status={state satisfies Status} />
          {counts[state]}
        </span>
      ))}
      {shown.length === 0 && trans.__('nothing runs')}
    </button>
  );
}
