import { useVirtualizer } from '@tanstack/react-virtual';
import * as React from 'react';

import type { ILogLine } from '../../model/logBuffer';
import { usePanel } from '../context';

interface IProps {
  lines: readonly ILogLine[];
  /** Text to mark. */
  mark: string;
  follow: boolean;
  onScrolledUp: (up: boolean) => void;
  earlier: (() => void) | null;
}

const LINE = 16;

/** Log lines, those in sight only; stderr is marked by a bar and, for those who do not see it, by a word. */
export function LogLines({ lines, mark, follow, onScrolledUp, earlier }: IProps): React.ReactElement {
  const { trans } = usePanel();
  const scroller = React.useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({
    count: lines.length,
    estimateSize: () => LINE,
    getItemKey: index => lines[index].key,
    getScrollElement: () => scroller.current,
    overscan: 20
  });
  const last = lines.length ? lines[lines.length - 1].key : 0;
  React.useLayoutEffect(() => {
    const node = scroller.current;
    if (node && follow) {
      node.scrollTop = node.scrollHeight;
    }
  }, [follow, last, lines]);
  const onWheel = (event: React.WheelEvent) => {
    const node = scroller.current;
    if (event.deltaY < 0) {
      onScrolledUp(true);
    } else if (node && node.scrollHeight - node.scrollTop - node.clientHeight < LINE * 2) {
      onScrolledUp(false);
    }
  };
  return (
    <div
      ref={scroller}
      className="tv-LogLines"
      role="log"
      tabIndex={0}
      aria-label={trans.__('Log')}
      onWheel={onWheel}
    >
      {earlier && (
        <button className="tv-Link" onClick={earlier}>
          {trans.__('Show earlier lines')}
        </button>
      )}
      <div style={{ height: virtual.getTotalSize(), position: 'relative' }}>
        {virtual.getVirtualItems().map(item => {
          const line = lines[item.index];
          return (
            <div
              key={item.key}
              className={`tv-LogLine tv-mod-${line.stream}`}
              data-stream={line.stream}
              aria-label={line.stream === 'stderr' ? trans.__('stderr: %1', line.text) : undefined}
              style={{ transform: `translateY(${item.start}px)` }}
            >
              {mark ? <Marked text={line.text} mark={mark} /> : line.text}
            </div>
          );
        })}
      </div>
    </div>
  );
}

function Marked({ text, mark }: { text: string; mark: string }): React.ReactElement {
  const at = text.toLowerCase().indexOf(mark.toLowerCase());
  if (at < 0) {
    return <>{text}</>;
  }
  const end = at + mark.length;
  return (
    <>
      {text.slice(0, at)}
      <mark>{text.slice(at, end)}</mark>
      {text.slice(end)}
    </>
  );
}
