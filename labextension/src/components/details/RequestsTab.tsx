import * as React from 'react';

import type { IProcess, IRequest } from '../../api/types';
import { between, duration } from '../../format/time';
import { waiting } from '../../model/receipts';
import { actionWord, outcomeWord } from '../../model/words';
import { Ago } from '../Ago';
import { usePanel } from '../context';
import { Part } from './Part';
import { useDetail } from './useDetail';

/** Who asked for what, when it was seen, when it took effect, and what was reached. */
export function RequestsTab({ process }: { process: IProcess }): React.ReactElement {
  const { client, trans } = usePanel();
  const detail = useDetail(process, ['requests', 'processes'], client.requests, 5);
  const none = trans.__('Nobody has asked it to stop, pause or resume.');
  return (
    <Part detail={detail} empty={none} isEmpty={data => data.requests.length === 0}>
      {data => (
        <ul className="tv-List">
          {data.requests.map(request => (
            <RequestItem key={request.request_id} request={request} process={process} />
          ))}
        </ul>
      )}
    </Part>
  );
}

export function RequestItem({
  request,
  process
}: {
  request: IRequest;
  process: IProcess;
}): React.ReactElement {
  const { control, model, trans } = usePanel();
  const ago = React.useCallback((time: string) => trans.__('%1 ago', time), [trans]);
  const { detail, reason, requested_by } = request;
  const pending = request.outcome === null;
  const current = pending && process.request?.request_id === request.request_id;
  const seen = duration(between(request.requested_at, request.seen_at));
  const effect = duration(request.latency ?? between(request.requested_at, request.effective_at));
  const steps = [
    seen && trans.__('seen after %1', seen),
    request.outcome === 'effective' && effect && trans.__('took effect after %1', effect),
    process.kind === 'notebook' && detail.place && trans.__('at %1', detail.place),
    detail.reached?.length && trans._n('reached %1 process', 'reached %1 processes', detail.reached.length),
    detail.not_reached?.length && trans.__('not reached: %1', detail.not_reached.map(who).join(', ')),
    detail.threads && trans._n('%1 other thread ran on', '%1 other threads ran on', detail.threads),
    detail.message
  ].filter(Boolean);
  return (
    <li className={`tv-Request tv-mod-${request.action}`}>
      <div className="tv-Request-head">
        <b>
          {request.now
            ? trans.__('%1 now', actionWord(request.action, trans))
            : actionWord(request.action, trans)}
        </b>
        <span>{requested_by && trans.__('by %1', requested_by)}</span>
        <span className="tv-Outcome">{outcomeWord(request.outcome, trans)}</span>
        <span className="tv-number">
          <Ago since={request.requested_at} words={ago} />
        </span>
      </div>
      {reason && <div className="tv-Hint">“{reason}”</div>}
      {steps.length > 0 && <div className="tv-Hint">{steps.join(' · ')}</div>}
      {pending && <div className="tv-Waiting-why">{waiting(request, trans)}</div>}
      {current && !request.now && model.canControl && (
        <div className="tv-Waiting-ways">
          <button className="tv-Link" onClick={() => void control.withdraw(process)}>
            {trans.__('withdraw')}
          </button>
          <button className="tv-Link" onClick={() => void control.escalate(process)}>
            {trans.__('now')}
          </button>
        </div>
      )}
    </li>
  );
}

function who(process: { name: string; pid: number | null }): string {
  return process.pid === null ? process.name : `${process.name} (${process.pid})`;
}
