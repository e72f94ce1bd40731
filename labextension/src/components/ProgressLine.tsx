import * as React from 'react';

import type { IProgress } from '../api/types';
import { figure } from '../format/numbers';
import { duration } from '../format/time';
import { usePanel } from './context';

/** "epoch 14/50 ▓▓▓░░ 28%  ETA 12 m" */
export function ProgressLine({ progress }: { progress: IProgress }): React.ReactElement {
  const { trans } = usePanel();
  const { desc, done, total, eta, rate } = progress;
  const share = total ? Math.min(1, done / total) : null;
  const count = total === null ? figure(done) : `${figure(done)}/${figure(total)}`;
  const name = desc || trans.__('progress');
  return (
    <div className="tv-Line tv-ProgressLine">
      <span className="tv-ellipsis">{`${name} ${count}`}</span>
      <span
        className={share === null ? 'tv-Bar tv-mod-unknown' : 'tv-Bar'}
        role="progressbar"
        aria-label={name}
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={share === null ? undefined : Math.round(share * 100)}
      >
        <span style={{ width: `${(share ?? 0) * 100}%` }} />
      </span>
      <span className="tv-number">{share === null ? '' : `${Math.floor(share * 100)}%`}</span>
      <span className="tv-number tv-Eta">
        {eta !== null
          ? trans.__('ETA %1', duration(eta))
          : rate !== null
            ? trans.__('%1/s', figure(rate))
            : ''}
      </span>
    </div>
  );
}
