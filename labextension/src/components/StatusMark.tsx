import * as React from 'react';

import type { Status } from '../api/types';
import { look } from '../model/status';

/** Shapes on a grid of 16, so that a state is told without its colour, too. */
const SHAPES: Record<Status, React.ReactElement> = {
  running: <circle cx="8" cy="8" r="5" />,
  paused: <path d="M4 3h3v10H4zM9 3h3v10H9z" />,
  pausing: <path d="M8 2a6 6 0 1 1-6 6h2a4 4 0 1 0 4-4zM6 6h1.5v4H6zM8.7 6h1.5v4H8.7z" />,
  stopping: <path d="M8 2a6 6 0 1 1-6 6h2a4 4 0 1 0 4-4zM6.2 6.2h3.6v3.6H6.2z" />,
  stopped: <path d="M3.5 3.5h9v9h-9z" />,
  finished: <path d="M6.4 12.6 2.2 8.4l1.6-1.6 2.6 2.6 5.8-5.8 1.6 1.6z" />,
  failed: (
    <path d="m8 6.4 3.6-3.6 1.6 1.6L9.6 8l3.6 3.6-1.6 1.6L8 9.6l-3.6 3.6-1.6-1.6L6.4 8 2.8 4.4l1.6-1.6z" />
  ),
  lost: (
    <path d="M7 11.5h2v2H7zM8 2.5c2.2 0 3.7 1.3 3.7 3.2 0 1.5-.9 2.2-1.7 2.8-.7.5-1 .8-1 1.5v.3H7v-.5c0-1.4.8-2.1 1.6-2.7.7-.5 1.1-.8 1.1-1.4 0-.8-.6-1.3-1.7-1.3-1 0-1.8.6-2 1.6l-1.9-.4C4.5 3.8 6 2.5 8 2.5z" />
  ),
  unknown: (
    <path d="M8 2a6 6 0 1 1 0 12A6 6 0 0 1 8 2zm0 1.6a4.4 4.4 0 1 0 0 8.8 4.4 4.4 0 0 0 0-8.8zM5.5 7.2h5v1.6h-5z" />
  )
};

export function StatusMark({ status }: { status: Status }): React.ReactElement {
  return (
    <svg className={`tv-Mark tv-mod-${look(status).tone}`} viewBox="0 0 16 16" aria-hidden="true">
      {SHAPES[status] ?? SHAPES.unknown}
    </svg>
  );
}
