import * as React from 'react';

import { bytes, percent } from '../format/numbers';
import { useModel, usePanel } from './context';

/** The machine's CPU and memory, at the foot. */
export function HostLine(): React.ReactElement | null {
  const { trans } = usePanel();
  const { store } = useModel();
  const host = store.host;
  if (!host) {
    return null;
  }
  const used = host.memory_total - host.memory_available;
  const share = host.memory_total ? used / host.memory_total : 0;
  return (
    <div className="tv-Host" title={`${host.host} · ${trans._n('%1 core', '%1 cores', host.cores)}`}>
      <span>{trans.__('CPU')}</span>
      <Meter share={(host.cpu ?? 0) / 100} label={trans.__('CPU of the machine')} />
      <span className="tv-number">{percent(host.cpu)}</span>
      <span>{trans.__('Memory')}</span>
      <Meter share={share} label={trans.__('Memory of the machine')} />
      <span className="tv-number">{`${bytes(used)} / ${bytes(host.memory_total)}`}</span>
    </div>
  );
}

function Meter({ share, label }: { share: number; label: string }): React.ReactElement {
  const level = share > 0.9 ? ' tv-mod-high' : '';
  return (
    <span
      className={`tv-Bar${level}`}
      role="meter"
      aria-label={label}
      aria-valuenow={Math.round(share * 100)}
      aria-valuemin={0}
      aria-valuemax={100}
    >
      <span style={{ width: `${Math.min(1, share) * 100}%` }} />
    </span>
  );
}
