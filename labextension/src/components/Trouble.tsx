import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { ApiError } from '../api/fetch';
import { useModel, usePanel } from './context';

/** What is wrong with the server or the vault: what happened, what still works, what to do. One sentence each. */
export function Trouble(): React.ReactElement | null {
  const { trans, refresher } = usePanel();
  const { store } = useModel();
  const text = trouble(store.error, trans);
  const message = text ?? store.notice?.message ?? null;
  if (message === null) {
    return null;
  }
  return (
    <div className={`tv-Trouble${text ? ' tv-mod-bad' : ''}`} role="status">
      <span>{message}</span>
      {text && (
        <button className="tv-Link" onClick={() => void refresher.refresh()}>
          {trans.__('Try again')}
        </button>
      )}
    </div>
  );
}

function trouble(error: ApiError | null, trans: TranslationBundle): string | null {
  switch (error?.status) {
    case undefined:
      return null;
    case 0:
      return trans.__(
        'The server cannot be reached; what is shown here is what it said last. It is asked again by itself.'
      );
    case 401:
    case 403:
      return trans.__(
        'This server does not permit you to see its processes. Ask whoever runs it for access.'
      );
    case 404:
      return trans.__(
        'The server half of tablevault-ext is not enabled. Run “jupyter server extension enable tablevault_ext”, then start the server again.'
      );
    default:
      return error?.message ?? null;
  }
}
