import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { IProcess } from '../api/types';
import { stateWord } from '../model/words';
import { isPending } from '../model/status';
import { Ago } from './Ago';
import { usePanel } from './context';

/** The state in words, with who, since when and why: 'paused 3 m by ana "disk"', "failed KeyError: 'lr'". */
export function News({ process }: { process: IProcess }): React.ReactElement {
  const { trans } = usePanel();
  const { request, status } = process;
  const since = isPending(process)
    ? (request?.requested_at ?? null)
    : status === 'paused'
      ? (request?.effective_at ?? null)
      : null;
  const more = detail(process, trans);
  return (
    <span className={`tv-News tv-ellipsis tv-state-${status}`} title={more}>
      <span className="tv-State">{stateWord(process, trans)}</span>
      {since && (
        <>
          {' '}
          <Ago since={since} />
        </>
      )}
      {more && <> {more}</>}
    </span>
  );
}

function detail(process: IProcess, trans: TranslationBundle): string {
  const { request, status } = process;
  if (status === 'paused' && process.paused_from_outside) {
    return trans.__('from outside');
  }
  if (request && (status === 'paused' || status === 'stopped')) {
    const by = request.requested_by ? trans.__('by %1', request.requested_by) : '';
    return [by, request.reason && `“${request.reason}”`].filter(Boolean).join(' ');
  }
  if (status === 'failed') {
    return process.error ?? process.exit_signal ?? exit(process, trans);
  }
  return status === 'lost' ? trans.__('gone without a word') : '';
}

function exit(process: IProcess, trans: TranslationBundle): string {
  return process.exit_code === null ? '' : trans.__('exit code %1', process.exit_code);
}
