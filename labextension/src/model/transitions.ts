import type { IProcess, IRequest } from '../api/types';
import { millis } from '../format/time';
import type { IUpdate } from './store';

/** Something that happened between two answers and that a person may want to be told. */
export type Transition =
  { type: 'failed' | 'lost'; process: IProcess } | { type: 'decided'; process: IProcess; request: IRequest };

/** A process that is seen for the first time after its end is news only if it ended so many milliseconds ago. */
const FRESH = 30_000;

/** What happened between two answers. Nothing is news in the first one. `now` is milliseconds since the epoch. */
export function transitions({ first, before, after }: IUpdate, now: number): Transition[] {
  if (first) {
    return [];
  }
  const result: Transition[] = [];
  for (const process of after.values()) {
    const old = before.get(process.process_id);
    if (old === process) {
      continue;
    }
    const { status } = process;
    const news = old ? old.status !== status : now - (millis(process.ended_at) ?? 0) < FRESH;
    if ((status === 'failed' || status === 'lost') && news) {
      result.push({ type: status, process });
    }
    const request = process.request;
    if (request?.outcome && isNews(old?.request ?? null, request)) {
      result.push({ type: 'decided', process, request });
    }
  }
  return result;
}

function isNews(old: IRequest | null, request: IRequest): boolean {
  return old?.request_id === request.request_id && old.outcome === null;
}
