import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { duration } from '../format/time';

export interface IStopChoice {
  keepKernel: boolean;
  now: boolean;
  escalate: boolean;
  reason: string;
}

interface IProps {
  choice: IStopChoice;
  report: (choice: IStopChoice) => void;
  ends: string;
  kernels: boolean;
  checkpoints: boolean;
  warnings: string[];
  grace: number;
  trans: TranslationBundle;
}

/** What stopping ends, and how it is to be done. */
export function StopForm(props: IProps): React.ReactElement {
  const { choice, report, trans } = props;
  const set = (change: Partial<IStopChoice>) => report({ ...choice, ...change });
  return (
    <>
      <p className="tv-Dialog-ends">
        {choice.keepKernel
          ? trans.__('Ends the run of %1; the kernel and its memory stay.', props.ends)
          : trans.__('Ends %1; unsaved memory is lost.', props.ends)}
      </p>
      {props.warnings.map(warning => (
        <p key={warning} className="tv-Dialog-warning">
          {warning}
        </p>
      ))}
      {props.kernels && (
        <Choice
          name="tv-kernel"
          value={choice.keepKernel}
          set={keepKernel => set({ keepKernel, now: keepKernel ? false : choice.now })}
          options={[
            [true, trans.__("Stop the run and keep the kernel's memory")],
            [false, trans.__('Shut the kernel down')]
          ]}
        />
      )}
      {props.checkpoints && !choice.keepKernel && (
        <Choice
          name="tv-when"
          value={choice.now}
          set={now => set({ now })}
          options={[
            [false, trans.__('At the next checkpoint, so that it can clean up')],
            [true, trans.__('Now: by signal, killed after %1', duration(props.grace))]
          ]}
        />
      )}
      {!choice.now && !choice.keepKernel && (
        <label className="tv-Dialog-option">
          <input
            type="checkbox"
            checked={choice.escalate}
            onChange={e => set({ escalate: e.target.checked })}
          />
          {trans.__('By signal, if it has not stopped after %1', duration(props.grace))}
        </label>
      )}
      <label className="tv-Dialog-field">
        {trans.__('Reason (optional)')}
        <input
          type="text"
          className="jp-mod-styled"
          value={choice.reason}
          onChange={e => set({ reason: e.target.value })}
        />
      </label>
    </>
  );
}

function Choice(props: {
  name: string;
  value: boolean;
  set: (value: boolean) => void;
  options: [boolean, string][];
}): React.ReactElement {
  return (
    <div role="radiogroup" className="tv-Dialog-choice">
      {props.options.map(([value, label]) => (
        <label key={label} className="tv-Dialog-option">
          <input
            type="radio"
            name={props.name}
            checked={props.value === value}
            onChange={() => props.set(value)}
          />
          {label}
        </label>
      ))}
    </div>
  );
}
