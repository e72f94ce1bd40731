import { Dialog, showDialog } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { Client } from '../api/client';
import type { IChildren, IImpact, INewRequest, IProcess } from '../api/types';
import { countWords } from '../model/words';
import { Body } from './body';
import { names } from './confirm';
import { StopForm, type IStopChoice } from './StopForm';

/** Ask before something is ended: names what ends, children counted. Null if the user thought better of it. */
export async function confirmStop(
  client: Client,
  processes: IProcess[],
  { now, grace }: { now: boolean; grace: number },
  trans: TranslationBundle
): Promise<Omit<INewRequest, 'action'> | null> {
  const impacts = await Promise.all(processes.map(process => impactOf(client, process, now)));
  const kernels = impacts.some(impact => impact.kernel);
  // A command has no checkpoints: for it, now is the only way.
  const immediate = now || processes.every(process => process.kind === 'command');
  const start: IStopChoice = {
    keepKernel: kernels && !immediate,
    now: immediate,
    escalate: false,
    reason: ''
  };
  const warnings = [...new Set(impacts.flatMap(impact => impact.warnings))];
  const result = await showDialog({
    title: trans.__('Stop %1?', names(processes, trans)),
    body: new Body<IStopChoice>(start, (choice, report) => (
      <StopForm
        {...{ choice, report, kernels, warnings, grace, trans }}
        ends={ends(processes, impacts, trans)}
        checkpoints={processes.some(process => process.kind !== 'command')}
      />
    )),
    buttons: [
      Dialog.cancelButton({ label: trans.__('Cancel') }),
      Dialog.warnButton({ label: trans.__('Stop') })
    ],
    defaultButton: 0
  });
  if (!result.button.accept || !result.value) {
    return null;
  }
  const { keepKernel, escalate, reason } = result.value;
  return { now: result.value.now, keep_kernel: keepKernel, escalate, grace, reason };
}

/** "train_resnet and 4 workers" */
function ends(processes: IProcess[], impacts: IImpact[], trans: TranslationBundle): string {
  const counts: Partial<IChildren> = {};
  for (const { by_kind } of impacts) {
    for (const [kind, count] of Object.entries(by_kind) as [keyof IChildren, number][]) {
      counts[kind] = (counts[kind] ?? 0) + count;
    }
  }
  const children = countWords(counts, trans);
  const own = names(processes, trans);
  return children ? trans.__('%1 and %2', own, children) : own;
}

async function impactOf(client: Client, process: IProcess, now: boolean): Promise<IImpact> {
  try {
    return await client.impact(process.process_id, 'stop', { now });
  } catch {
    // The list's own count is nearly as good, and the question must not wait for a server in trouble.
    const kernel = process.kind === 'notebook';
    const by_kind = process.children;
    return { action: 'stop', processes: [], total: 1, by_kind, kernel, memory: null, warnings: [] };
  }
}
