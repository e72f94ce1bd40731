import { pauseIcon, runIcon, stopIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { Action, IProcess } from '../api/types';
import { refusal } from '../model/actions';
import { actionWord } from '../model/words';
import { usePanel } from './context';

const ICONS = { pause: pauseIcon, resume: runIcon, stop: stopIcon };

interface IProps {
  action: Action;
  processes: IProcess[];
  /** Buttons in rows stay out of the tab order: the tree has keys of its own. */
  inRow?: boolean;
}

/** Pause is yellow, resume green, stop red; a disabled one says why in its tooltip. */
export function ActionButton({ action, processes, inRow = false }: IProps): React.ReactElement {
  const { control, model, trans } = usePanel();
  const reasons = processes.map(process => refusal(process, action, model.canControl, trans));
  const able = processes.filter((_, index) => reasons[index] === null);
  const label = actionWord(action, trans);
  const why = able.length ? null : (reasons.find(reason => reason !== null) ?? null);
  const act = (event: React.MouseEvent) => {
    event.stopPropagation();
    if (able.length) {
      void control[action](able);
    }
  };
  const Icon = ICONS[action];
  return (
    <button
      className={`tv-Action tv-mod-${action}`}
      aria-label={label}
      // Not `disabled`: a disabled button shows no tooltip and takes no focus, so nobody would learn why.
      aria-disabled={why !== null}
      tabIndex={inRow ? -1 : 0}
      title={why ? `${label}: ${why}` : label}
      onClick={act}
      onDoubleClick={event => event.stopPropagation()}
    >
      <Icon.react tag="span" elementSize="normal" />
    </button>
  );
}
