import * as React from 'react';

import type { IProcess } from '../api/types';
import { bytes, percent } from '../format/numbers';
import { isLive } from '../model/status';
import { Ago } from './Ago';
import { Sparkline } from './Sparkline';

/** The aligned figures at the end of a row: CPU and memory while it lives, the time since it ended afterwards. */
export function Figures({ process }: { process: IProcess }): React.ReactElement | null {
  if (!isLive(process)) {
    return (
      <span className="tv-number">
        <Ago since={process.ended_at} />
      </span>
    );
  }
  const { resources, status } = process;
  if (!resources) {
    return null;
  }
  return (
    <>
      {status !== 'paused' && (
        <>
          <Sparkline values={resources.history.cpu} />
          <span className="tv-number tv-Cpu">{percent(resources.cpu)}</span>
        </>
      )}
      <span className="tv-number tv-Memory">{bytes(resources.rss)}</span>
    </>
  );
}
