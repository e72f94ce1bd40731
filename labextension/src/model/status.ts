import type { IProcess, Status } from '../api/types';

export type Group = 'running' | 'attention' | 'ended';

/** What the state machine says of each state; the words are translated where they are shown. */
interface ILook {
  group: Group;
  live: boolean;
  /** Stylesheets know `tv-mod-<tone>`. */
  tone: 'good' | 'wait' | 'bad' | 'calm' | 'odd';
}

const LOOKS: Record<Status, ILook> = {
  running: { group: 'running', live: true, tone: 'good' },
  paused: { group: 'running', live: true, tone: 'wait' },
  pausing: { group: 'attention', live: true, tone: 'wait' },
  stopping: { group: 'attention', live: true, tone: 'wait' },
  unknown: { group: 'attention', live: true, tone: 'odd' },
  failed: { group: 'attention', live: false, tone: 'bad' },
  lost: { group: 'attention', live: false, tone: 'odd' },
  stopped: { group: 'ended', live: false, tone: 'bad' },
  finished: { group: 'ended', live: false, tone: 'good' }
};

export function look(status: Status): ILook {
  return LOOKS[status] ?? LOOKS.unknown;
}

export function isLive(process: IProcess): boolean {
  return look(process.status).live;
}

/** Failed and lost ones need attention until the user has marked them as seen. */
export function groupOf(process: IProcess, seen: ReadonlySet<string>): Group {
  const group = look(process.status).group;
  return group === 'attention' && !isLive(process) && seen.has(process.process_id) ? 'ended' : group;
}

/** A request that still waits for its effect. */
export function isPending(process: IProcess): boolean {
  return process.request !== null && process.request.outcome === null && isLive(process);
}
