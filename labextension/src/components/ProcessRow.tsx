import type { TranslationBundle } from '@jupyterlab/translation';
import { caretDownIcon, caretRightIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { IProcess } from '../api/types';
import { absolute } from '../format/time';
import type { IProcessRow } from '../model/rows';
import { countWords, kindWord, stateWord } from '../model/words';
import { ActionButton } from './ActionButton';
import { usePanel } from './context';
import { Figures } from './Figures';
import { News } from './News';
import { NowLine } from './NowLine';
import { ProgressLine } from './ProgressLine';
import { StatusMark } from './StatusMark';
import { WaitingLine } from './WaitingLine';

/** One process: a summary line, and more lines only where they carry news. */
export const ProcessRow = React.memo(function ProcessRow(props: { row: IProcessRow; onToggle: () => void }) {
  const { row, onToggle } = props;
  const { trans } = usePanel();
  const { process, lines } = row;
  const Caret = row.open ? caretDownIcon : caretRightIcon;
  const pausable = process.status === 'paused' || process.status === 'pausing';
  return (
    <div className="tv-Process" style={{ paddingLeft: row.depth * 14 }}>
      <div className="tv-Summary" title={tooltip(process, trans)}>
        <span className="tv-Caret" onClick={event => (event.stopPropagation(), onToggle())}>
          {row.open !== null && <Caret.react tag="span" />}
        </span>
        <StatusMark status={process.status} />
        <span className="tv-Name tv-ellipsis">{process.name}</span>
        {process.run > 1 && <span className="tv-Run">#{process.run}</span>}
        <News process={process} />
        <span className="tv-Figures">
          <Figures process={process} />
        </span>
        <span className="tv-RowActions">
          <ActionButton inRow action={pausable ? 'resume' : 'pause'} processes={[process]} />
          <ActionButton inRow action="stop" processes={[process]} />
        </span>
      </div>
      {lines.progress && process.progress && <ProgressLine progress={process.progress} />}
      {lines.now && <NowLine process={process} />}
      {lines.waiting && <WaitingLine process={process} />}
      {lines.children && (
        <div className="tv-Line tv-ChildrenLine" onClick={row.open === null ? undefined : onToggle}>
          └ {countWords(process.children, trans, process.actors)}
        </div>
      )}
    </div>
  );
});

function tooltip(process: IProcess, trans: TranslationBundle): string {
  const { pid, host, notebook, path, argv, description } = process;
  return [
    `${process.name} #${process.run} · ${kindWord(process.kind, trans)} · ${stateWord(process, trans)}`,
    description,
    argv?.length ? argv.join(' ').slice(0, 300) : (notebook ?? path),
    [pid === null ? '' : trans.__('pid %1', pid), host].filter(Boolean).join(' · '),
    trans.__('started %1', absolute(process.started_at))
  ]
    .filter(Boolean)
    .join('\n');
}
