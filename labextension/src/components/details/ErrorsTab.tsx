import * as React from 'react';

import type { IError } from '../../api/details';
import type { IProcess } from '../../api/types';
import { CommandIDs } from '../../plugins/ids';
import { Ago } from '../Ago';
import { usePanel } from '../context';
import { Part } from './Part';
import { Traceback } from './Traceback';
import { useDetail } from './useDetail';

/** Errors, latest first, each with its readable traceback. */
export function ErrorsTab({ process }: { process: IProcess }): React.ReactElement {
  const { client, trans } = usePanel();
  const detail = useDetail(process, ['errors', 'cells'], client.errors);
  return (
    <Part detail={detail} empty={trans.__('No errors.')} isEmpty={data => data.errors.length === 0}>
      {data => (
        <ul className="tv-List">
          {data.errors.map((error, index) => (
            <ErrorItem key={`${error.at}-${index}`} error={error} process={process} />
          ))}
        </ul>
      )}
    </Part>
  );
}

export function ErrorItem({ error, process }: { error: IError; process: IProcess }): React.ReactElement {
  const { commands, trans } = usePanel();
  const ago = React.useCallback((time: string) => trans.__('%1 ago', time), [trans]);
  const where = error.seq === null ? error.source : trans.__('cell %1', error.execution_count ?? error.seq);
  const jump = () =>
    void commands.execute(CommandIDs.open, { process_id: process.process_id, cell_id: error.cell_id });
  return (
    <li className="tv-Error">
      <div className="tv-Error-head">
        <b className="tv-ErrorType">{error.error_type}</b>
        {error.cell_id !== null && process.notebook !== null ? (
          <button className="tv-Link" onClick={jump} title={trans.__('Go to this cell in the notebook')}>
            {where}
          </button>
        ) : (
          <span>{where}</span>
        )}
        <span className="tv-number">
          <Ago since={error.at} words={ago} />
        </span>
      </div>
      {error.error_message && <div className="tv-ErrorMessage">{error.error_message}</div>}
      {error.traceback && <Traceback text={error.traceback} />}
    </li>
  );
}
