import type { TranslationBundle } from '@jupyterlab/translation';

import type { IProcess, IRequest } from '../api/types';
import { duration } from '../format/time';

/** What was observed of a request, as one quiet line: "paused at cell 7, 0.3 s after you asked". */
export function receipt(process: IProcess, request: IRequest, trans: TranslationBundle): string {
  const { outcome, detail } = request;
  const message = detail.message ?? '';
  switch (outcome) {
    case 'effective':
      return `${process.name}: ${effect(process, request, trans)}${left(request, trans)}`;
    case 'withdrawn':
      return trans.__('%1: the request was withdrawn before it took effect', process.name);
    case 'superseded':
      return trans.__('%1: a later request took its place', process.name);
    case 'interrupted':
      return trans.__('%1: the pause was ended by an interrupt', process.name);
    case 'lost':
      return trans.__('%1 vanished before it answered', process.name);
    case 'failed':
      return message
        ? trans.__('%1: the request failed: %2', process.name, message)
        : trans.__('%1: the request failed', process.name);
    default:
      return trans.__('%1: asked, not yet seen', process.name);
  }
}

function effect(process: IProcess, request: IRequest, trans: TranslationBundle): string {
  const done = { pause: trans.__('paused'), resume: trans.__('resumed'), stop: trans.__('stopped') }[
    request.action
  ];
  // A script is one cell: naming it says nothing.
  const place = process.kind === 'notebook' ? request.detail.place : null;
  const where = place ? ` ${trans.__('at %1', place)}` : '';
  const after = duration(request.latency);
  return after ? trans.__('%1%2, %3 after you asked', done, where, after) : done + where;
}

function left(request: IRequest, trans: TranslationBundle): string {
  const { not_reached, threads } = request.detail;
  const parts = [];
  if (threads) {
    parts.push(trans._n('%1 other thread runs on', '%1 other threads run on', threads));
  }
  if (not_reached?.length) {
    parts.push(trans._n('%1 process was not reached', '%1 processes were not reached', not_reached.length));
  }
  return parts.length ? `; ${parts.join(', ')}` : '';
}

/** Why a pending request has not taken effect, or what is known so far. */
export function waiting(request: IRequest, trans: TranslationBundle): string {
  if (request.waiting_for) {
    return request.waiting_for;
  }
  return request.seen_at
    ? trans.__('seen; waiting for the next checkpoint')
    : trans.__('asked; not yet seen');
}
