import * as React from 'react';

import { plain } from '../../format/text';

const LIBRARY = /site-packages|dist-packages|lib\/python\d|<frozen |\/(ipykernel|IPython)\//;

/** Python's frames, and those of IPython. */
const FRAME = /^(?: {2}File "|File |Cell In\[|Input In \[)/;
const ERROR = /^[\w.]+(Error|Exception|Warning|Interrupt|Exit|Group|Stopped)\b/;

export type FrameKind = 'own' | 'library' | 'code' | 'error' | 'text';

/** What each line of a traceback is: a frame of the user's, one of a library, its code, the error itself. */
export function frames(traceback: string): { text: string; kind: FrameKind }[] {
  let library = false;
  return plain(traceback)
    .replace(/\s+$/, '')
    .split('\n')
    .map(text => {
      if (FRAME.test(text)) {
        library = LIBRARY.test(text);
        return { text, kind: library ? 'library' : 'own' };
      }
      if (/^\s/.test(text) || text === '') {
        return { text, kind: library ? 'library' : 'code' };
      }
      return { text, kind: ERROR.test(text) ? 'error' : 'text' };
    });
}

/** A traceback in which the eye finds its own frames: those of libraries stand back. */
export function Traceback({ text }: { text: string }): React.ReactElement {
  const lines = React.useMemo(() => frames(text), [text]);
  return (
    <pre className="tv-Traceback" tabIndex={0}>
      {lines.map((line, index) => (
        <span key={index} className={`tv-mod-${line.kind}`}>
          {line.text}
          {'\n'}
        </span>
      ))}
    </pre>
  );
}
