import { refusal, rerunRefusal } from '../src/model/actions';
import { receipt, waiting } from '../src/model/receipts';
import { countWords } from '../src/model/words';
import { plenty } from '../src/model/memory';
import type { Action, Status } from '../src/api/types';
import { list, process, request, trans } from './helpers';

const allowed = (status: Status) =>
  (['pause', 'resume', 'stop'] as Action[]).filter(
    action => refusal(process('p', { status }), action, true, trans) === null
  );

describe('buttons', () => {
  it.each([
    ['running', ['pause', 'stop']],
    ['pausing', ['resume', 'stop']],
    ['paused', ['resume', 'stop']],
    ['stopping', ['stop']],
    ['unknown', []],
    ['stopped', []],
    ['finished', []],
    ['failed', []],
    ['lost', []]
  ] as [Status, Action[]][])('of a process that is %s are %p', (status, actions) =>
    expect(allowed(status)).toEqual(actions)
  );

  it('say why they are disabled', () => {
    expect(refusal(process('p', { status: 'finished' }), 'pause', true, trans)).toBe(
      'p has ended (finished).'
    );
    expect(refusal(process('p'), 'pause', false, trans)).toContain('does not permit');
    const far = process('p', { refusals: { pause: 'It runs on another machine.' } });
    expect(refusal(far, 'pause', true, trans)).toBe('It runs on another machine.');
  });

  it('offer a second stop only to escalate a polite one', () => {
    const polite = process('p', { status: 'stopping', request: request({ action: 'stop' }) });
    const harsh = process('p', { status: 'stopping', request: request({ action: 'stop', now: true }) });
    expect(refusal(polite, 'stop', true, trans)).toBeNull();
    expect(refusal(harsh, 'stop', true, trans)).not.toBeNull();
  });

  it('run scripts and commands again, not notebooks', () => {
    const argv = ['python', 'a.py'];
    expect(rerunRefusal(process('p', { argv }), true, trans)).toBeNull();
    expect(rerunRefusal(process('p', { argv, kind: 'notebook' }), true, trans)).not.toBeNull();
    expect(rerunRefusal(process('p', { argv }), false, trans)).not.toBeNull();
  });
});

describe('receipts', () => {
  it('say what was observed', () => {
    const done = request({ outcome: 'effective', latency: 0.3, detail: { place: 'cell 7' } });
    const notebook = process('train', { kind: 'notebook' });
    expect(receipt(notebook, done, trans)).toBe('train: paused at cell 7, 0.3 s after you asked');
    expect(receipt(process('train'), done, trans)).toBe('train: paused, 0.3 s after you asked');
  });

  it('say what was left', () => {
    const left = request({
      action: 'stop',
      outcome: 'effective',
      detail: { not_reached: [{ pid: 1, name: 'a' }] }
    });
    expect(receipt(process('train'), left, trans)).toBe('train: stopped; 1 process was not reached');
  });

  it('say why a request waits', () => {
    expect(waiting(request({ waiting_for: 'in cell 14' }), trans)).toBe('in cell 14');
    expect(waiting(request(), trans)).toBe('asked; not yet seen');
    expect(waiting(request({ seen_at: '2026-11-21T08:00:00Z' }), trans)).toContain('checkpoint');
  });
});

describe('children', () => {
  it('are counted in words', () => {
    expect(countWords({ worker: 4, command: 1 }, trans)).toBe('4 workers, 1 command');
    expect(countWords({ worker: 0 }, trans)).toBe('');
  });
});

describe('memory', () => {
  const host = { ...list([]).host, memory_available: 1000 };
  const holding = (rss: number | null) =>
    process('p', {
      resources: { cpu: 0, rss, threads: 1, children: 0, history: { t: [], cpu: [], rss: [] } }
    });

  it('is plenty only where that is known', () => {
    expect(plenty(holding(400), host)).toBe(true);
    expect(plenty(holding(600), host)).toBe(false);
    expect(plenty(holding(null), host)).toBe(false);
    expect(plenty(holding(400), null)).toBe(false);
  });
});
