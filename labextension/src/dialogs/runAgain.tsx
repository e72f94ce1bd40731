import { Dialog, showDialog } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';
import { join, split } from 'shlex';

import type { IProcess } from '../api/types';
import { Body } from './body';

interface IChoice {
  command: string;
  cwd: string;
  name: string;
}

/** The command line once more, to be changed before it starts. Null if the user cancels. */
export async function askRunAgain(
  process: IProcess,
  trans: TranslationBundle
): Promise<{ argv: string[]; cwd?: string; name: string } | null> {
  let choice: IChoice = { command: join(process.argv ?? []), cwd: process.cwd ?? '', name: process.name };
  let problem = '';
  for (;;) {
    const result = await showDialog({
      title: trans.__('Run %1 again', process.name),
      body: new Body<IChoice>(choice, (value, report) => (
        <RunAgainForm {...{ value, report, problem, trans }} />
      )),
      buttons: [
        Dialog.cancelButton({ label: trans.__('Cancel') }),
        Dialog.okButton({ label: trans.__('Run') })
      ],
      focusNodeSelector: 'textarea'
    });
    if (!result.button.accept || !result.value) {
      return null;
    }
    choice = result.value;
    try {
      const argv = split(choice.command);
      if (argv.length && choice.name.trim()) {
        return { argv, name: choice.name.trim(), ...(choice.cwd.trim() ? { cwd: choice.cwd.trim() } : {}) };
      }
      problem = trans.__('A command and a name are needed.');
    } catch {
      problem = trans.__('A quotation mark is not closed.');
    }
  }
}

function RunAgainForm(props: {
  value: IChoice;
  report: (value: IChoice) => void;
  problem: string;
  trans: TranslationBundle;
}): React.ReactElement {
  const { value, report, problem, trans } = props;
  const set = (change: Partial<IChoice>) => report({ ...value, ...change });
  return (
    <>
      {problem && <p className="tv-Dialog-warning">{problem}</p>}
      <label className="tv-Dialog-field">
        {trans.__('Command')}
        <textarea
          className="jp-mod-styled"
          rows={3}
          spellCheck={false}
          value={value.command}
          onChange={e => set({ command: e.target.value })}
        />
      </label>
      <label className="tv-Dialog-field">
        {trans.__('Directory')}
        <input className="jp-mod-styled" value={value.cwd} onChange={e => set({ cwd: e.target.value })} />
      </label>
      <label className="tv-Dialog-field">
        {trans.__('Name')}
        <input className="jp-mod-styled" value={value.name} onChange={e => set({ name: e.target.value })} />
      </label>
    </>
  );
}
