import * as React from 'react';

import type { IProcess } from '../api/types';
import { waiting } from '../model/receipts';
import { usePanel } from './context';

/** Why a request has not taken effect, and the two ways out of waiting for a checkpoint. */
export function WaitingLine({ process }: { process: IProcess }): React.ReactElement | null {
  const { control, model, trans } = usePanel();
  const request = process.request;
  if (!request) {
    return null;
  }
  const text = waiting(request, trans);
  const run = (event: React.MouseEvent, act: (process: IProcess) => Promise<void>) => {
    event.stopPropagation();
    void act(process);
  };
  return (
    <div className="tv-Waiting">
      <div className="tv-Waiting-why" title={text}>
        {text}
      </div>
      {!request.now && (
        <div className="tv-Waiting-ways">
          <button
            className="tv-Link"
            tabIndex={-1}
            disabled={!model.canControl}
            onClick={event => run(event, p => control.withdraw(p))}
          >
            {trans.__('withdraw')}
          </button>
          <button
            className="tv-Link"
            tabIndex={-1}
            disabled={!model.canControl}
            title={trans.__('Do not wait for a checkpoint: by signal, the whole tree')}
            onClick={event => run(event, p => control.escalate(p))}
          >
            {trans.__('now')}
          </button>
        </div>
      )}
    </div>
  );
}
