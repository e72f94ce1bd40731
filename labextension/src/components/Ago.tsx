import * as React from 'react';

import { absolute, elapsed, millis } from '../format/time';
import { usePanel } from './context';

interface IProps {
  since: string | null;
  /** Puts words around the time, as in "%1 ago". */
  words?: (time: string) => string;
}

/** Time since something, ticking by itself: it writes its own text, so that nothing else is drawn again. */
export function Ago({ since, words }: IProps): React.ReactElement | null {
  const { clock } = usePanel();
  const node = React.useRef<HTMLTimeElement>(null);
  const text = React.useCallback(() => {
    const start = millis(since);
    const time = start === null ? '' : elapsed((clock.now() - start) / 1000);
    return words ? words(time) : time;
  }, [clock, since, words]);
  React.useEffect(
    () =>
      clock.subscribe(() => {
        const next = text();
        if (node.current && node.current.textContent !== next) {
          node.current.textContent = next;
        }
      }),
    [clock, text]
  );
  if (since === null) {
    return null;
  }
  return (
    <time ref={node} className="tv-Ago" dateTime={since} title={absolute(since)}>
      {text()}
    </time>
  );
}
