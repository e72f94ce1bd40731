import * as React from 'react';

import type { IAnswer } from '../control/control';
import { usePanel } from './context';

/** What the last action came to, read out by screen readers as it comes. */
export function AnswerLine(): React.ReactElement {
  const { control, trans } = usePanel();
  const [answer, set] = React.useState<IAnswer | null>(control.answer);
  React.useEffect(() => {
    const listener = (_: unknown, next: IAnswer) => set(next);
    control.answered.connect(listener);
    return () => {
      control.answered.disconnect(listener);
    };
  }, [control]);
  return (
    <div className={`tv-Answer${answer?.bad ? ' tv-mod-bad' : ''}`} role="status" aria-live="polite">
      {answer && (
        <>
          <span className="tv-ellipsis" title={answer.text}>
            {answer.text}
          </span>
          <button className="tv-Link" aria-label={trans.__('Dismiss')} onClick={() => set(null)}>
            ×
          </button>
        </>
      )}
    </div>
  );
}
