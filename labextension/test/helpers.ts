import { nullTranslator } from '@jupyterlab/translation';

import type { IProcess, IProcessList, IRequest } from '../src/api/types';
import type { IView } from '../src/model/view';

export const trans = nullTranslator.load('tablevault_ext');

export function process(name: string, values: Partial<IProcess> = {}): IProcess {
  return {
    process_id: name,
    name,
    run: 1,
    kind: 'script',
    status: 'running',
    activity: null,
    user_id: 'ana',
    host: 'here',
    pid: 1,
    parent_id: null,
    parent_cell: null,
    started_at: '2026-11-21T08:00:00Z',
    ended_at: null,
    exit_code: null,
    exit_signal: null,
    error: null,
    path: null,
    argv: null,
    cwd: null,
    python: null,
    kernel_id: null,
    notebook: null,
    description: null,
    paused_from_outside: false,
    request: null,
    refusals: {},
    current_cell: null,
    last_checkpoint_at: null,
    checkpoint_interval: null,
    checkpoints: 0,
    cells: 0,
    errors: 0,
    children: { worker: 0, command: 0, script: 0, notebook: 0, unrecorded: 0 },
    actors: 0,
    progress: null,
    resources: null,
    ...values
  };
}

export function request(values: Partial<IRequest> = {}): IRequest {
  return {
    request_id: 'r1',
    process_id: 'p',
    action: 'pause',
    now: false,
    keep_kernel: false,
    grace: 30,
    escalate: false,
    requested_by: 'ana',
    reason: '',
    requested_at: '2026-11-21T08:00:00Z',
    seen_at: null,
    effective_at: null,
    outcome: null,
    waiting_for: null,
    latency: null,
    detail: {},
    ...values
  };
}

export function list(processes: IProcess[], values: Partial<IProcessList> = {}): IProcessList {
  return {
    processes,
    total: processes.length,
    partial: false,
    removed: [],
    server_time: '2026-11-21T08:00:00Z',
    server_started_at: '2026-11-21T07:00:00Z',
    host: {
      host: 'here',
      at: null,
      cpu: 1,
      cores: 2,
      memory_total: 2,
      memory_available: 1,
      swap_total: 0,
      swap_used: 0,
      load: null
    },
    revision: 1,
    notice: null,
    ...values
  };
}

export const view: IView = {
  text: '',
  mine: false,
  sort: 'started',
  collapsedGroups: new Set(),
  expanded: new Set()
};
