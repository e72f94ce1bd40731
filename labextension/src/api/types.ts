/** The contract's words, as in tablevault_ext/server/openapi.yaml. Times are ISO 8601 UTC, durations seconds, sizes bytes. */

export type Status =
  'running' | 'pausing' | 'paused' | 'stopping' | 'stopped' | 'finished' | 'failed' | 'lost' | 'unknown';
export type Kind = 'notebook' | 'script' | 'command' | 'worker';
export type Action = 'stop' | 'pause' | 'resume';
export type Outcome = 'effective' | 'withdrawn' | 'superseded' | 'failed' | 'lost' | 'interrupted';

export interface INotice {
  kind: 'locked' | 'corrupt' | 'permission' | 'full' | 'missing' | 'newer' | 'behind' | 'no_sampling';
  message: string;
}

export interface IOsProcess {
  pid: number | null;
  name: string;
  kind?: string | null;
  process_id?: string | null;
  cmdline?: string | null;
  rss?: number | null;
}

export interface IRequest {
  request_id: string;
  process_id: string;
  action: Action;
  now: boolean;
  keep_kernel: boolean;
  grace: number;
  escalate: boolean;
  requested_by: string;
  reason: string;
  requested_at: string;
  seen_at: string | null;
  effective_at: string | null;
  outcome: Outcome | null;
  waiting_for: string | null;
  latency: number | null;
  detail: {
    place?: string | null;
    reached?: IOsProcess[];
    not_reached?: IOsProcess[];
    threads?: number | null;
    message?: string | null;
  };
}

export interface INewRequest {
  action: Action;
  now?: boolean;
  keep_kernel?: boolean;
  grace?: number;
  escalate?: boolean;
  reason?: string;
}

export interface IProgress {
  desc: string | null;
  done: number;
  total: number | null;
  rate: number | null;
  eta: number | null;
  updated_at: string | null;
}

export interface IHistory {
  t: number[];
  cpu: (number | null)[];
  rss: (number | null)[];
}

export interface IResources {
  cpu: number | null;
  rss: number | null;
  threads: number | null;
  children: number;
  history: IHistory;
}

export interface ICurrentCell {
  seq: number;
  cell_id: string | null;
  execution_count: number | null;
  code: string;
  started_at: string | null;
}

export interface IChildren {
  worker: number;
  command: number;
  script: number;
  notebook: number;
  unrecorded: number;
}

export interface IProcess {
  process_id: string;
  name: string;
  run: number;
  kind: Kind;
  status: Status;
  activity: 'idle' | 'busy' | null;
  user_id: string;
  host: string | null;
  pid: number | null;
  parent_id: string | null;
  parent_cell: number | null;
  started_at: string;
  ended_at: string | null;
  exit_code: number | null;
  exit_signal: string | null;
  error: string | null;
  path: string | null;
  argv: string[] | null;
  cwd: string | null;
  python: string | null;
  kernel_id: string | null;
  notebook: string | null;
  description: string | null;
  paused_from_outside: boolean;
  request: IRequest | null;
  refusals: Partial<Record<Action | 'run_again', string>>;
  current_cell: ICurrentCell | null;
  last_checkpoint_at: string | null;
  checkpoint_interval: number | null;
  checkpoints: number;
  cells: number;
  errors: number;
  children: IChildren;
  actors: number;
  progress: IProgress | null;
  resources: IResources | null;
}

export interface IHost {
  host: string;
  at: string | null;
  cpu: number | null;
  cores: number;
  memory_total: number;
  memory_available: number;
  swap_total: number;
  swap_used: number;
  load: number | null;
}

export interface IStatus {
  version: string;
  vault: string;
  user_id: string;
  host: string;
  can_control: boolean;
  can_run: boolean;
  notice: INotice | null;
}

export interface IProcessList {
  processes: IProcess[];
  total: number;
  partial: boolean;
  removed: string[];
  server_time: string | null;
  server_started_at: string | null;
  host: IHost;
  revision: number;
  notice: INotice | null;
}

export interface IImpact {
  action: Action;
  processes: IOsProcess[];
  total: number;
  by_kind: Partial<Record<keyof IChildren, number>>;
  kernel: boolean;
  memory: { needed: number | null; available: number | null; fits: boolean | null } | null;
  warnings: string[];
}
