import type { INotice, IOsProcess, IProgress, IRequest, Status } from './types';

/** What the tabs of one process show. */

export type Stream = 'stdout' | 'stderr';

export interface INoticed {
  notice: INotice | null;
}

export interface ICell {
  seq: number;
  cell_id: string | null;
  execution_count: number | null;
  code: string;
  code_truncated: boolean;
  private: boolean;
  status: 'running' | 'ok' | 'error' | 'aborted' | 'lost';
  started_at: string;
  ended_at: string | null;
  duration: number | null;
  error_type: string | null;
  error_message: string | null;
  output_tail: string | null;
}

export interface ICells extends INoticed {
  cells: ICell[];
  total: number;
  more: boolean;
}

export interface IError {
  seq: number | null;
  cell_id: string | null;
  execution_count: number | null;
  source: string;
  error_type: string;
  error_message: string;
  traceback: string;
  at: string | null;
}

export interface IErrors extends INoticed {
  errors: IError[];
  total: number;
}

export interface IRequests extends INoticed {
  requests: IRequest[];
  total: number;
}

export interface ITreeNode {
  pid: number | null;
  name: string;
  kind: string | null;
  process_id: string | null;
  status: string;
  cmdline: string | null;
  cpu: number | null;
  rss: number | null;
  threads: number | null;
  started_at: string | null;
  children: ITreeNode[];
}

export interface ITree extends INoticed {
  root: ITreeNode;
}

export interface IActor {
  actor_id: string;
  name: string | null;
  status: string;
  parent_id: string | null;
  started_at: string | null;
  ended_at: string | null;
  exit_reason: string | null;
  mailbox: number | null;
}

export interface IActors extends INoticed {
  actors: IActor[];
}

export interface ISamples extends INoticed {
  t: number[];
  cpu: (number | null)[];
  rss: (number | null)[];
  threads: (number | null)[];
}

export interface ISeries {
  name: string;
  values: (number | null)[];
}

export interface IRecordList {
  name: string;
  columns: string[];
  rows: number;
  updated_at: string | null;
  x: { name: string; values: number[] };
  series: ISeries[];
  last: unknown;
}

export interface IMetrics extends INoticed {
  lists: IRecordList[];
}

export interface IBars extends INoticed {
  bars: IProgress[];
}

export interface IFile {
  path: string;
  server_path: string | null;
  size: number;
  modified_at: string | null;
  growing: boolean;
}

export interface IFiles extends INoticed {
  files: IFile[];
  watched: string[];
  complete: boolean;
}

export type LogCursor = Record<Stream, number>;

export interface ILogSegment {
  stream: Stream;
  start: number;
  end: number;
  text: string;
}

export interface ILogs {
  available: string | null;
  segments: ILogSegment[];
  start: LogCursor;
  next: LogCursor;
  size: LogCursor;
  ordered: boolean;
  reset: boolean;
}

export interface ILogMatches {
  matches: { stream: Stream; offset: number; line: string }[];
  complete: boolean;
}

export interface IPostMortem {
  status: Status;
  summary: string;
  ended_at: string | null;
  exit_code: number | null;
  exit_signal: string | null;
  certain: boolean;
  evidence: { source: string; text: string }[];
  last_cell: ICell | null;
  last_checkpoint_at: string | null;
  error: IError | null;
  memory: { last: number | null; peak: number | null; limit: number | null } | null;
  requests: IRequest[];
  left_behind: IOsProcess[];
  log: ILogs | null;
}
