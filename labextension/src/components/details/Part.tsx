import * as React from 'react';

import type { INotice } from '../../api/types';
import { usePanel } from '../context';
import type { IDetail } from './useDetail';

interface IProps<T> {
  detail: IDetail<T>;
  /** Said when there is nothing to show. */
  empty: string;
  isEmpty: (data: T) => boolean;
  children: (data: T) => React.ReactNode;
}

/** What one tab shows, or why it shows nothing. */
export function Part<T>({ detail, empty, isEmpty, children }: IProps<T>): React.ReactElement {
  const { trans } = usePanel();
  const { data, error } = detail;
  const notice =
    data && typeof data === 'object' && 'notice' in data ? (data.notice as INotice | null) : null;
  return (
    <>
      {error && <p className="tv-Trouble tv-mod-bad">{error}</p>}
      {notice && <p className="tv-Trouble">{notice.message}</p>}
      {data === null ? (
        !error && <p className="tv-Empty">{trans.__('Loading…')}</p>
      ) : isEmpty(data) ? (
        <p className="tv-Empty">{empty}</p>
      ) : (
        children(data)
      )}
    </>
  );
}
