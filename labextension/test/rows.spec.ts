import { height, linesOf, rows, type IProcessRow } from '../src/model/rows';
import { process, request, view } from './helpers';

const draw = (processes: Parameters<typeof rows>[0], change = {}, seen = new Set<string>()) =>
  rows(processes, { ...view, ...change }, 'ana', seen);
const keys = (...args: Parameters<typeof draw>) => draw(...args).map(row => row.key);

describe('rows', () => {
  it('are grouped by what their state asks of a person', () => {
    const all = [process('a'), process('b', { status: 'failed' }), process('c', { status: 'finished' })];
    expect(keys(all)).toEqual(['running', 'a', 'attention', 'b', 'ended', 'c']);
  });

  it('leave empty groups out, and hide the members of closed ones', () => {
    const all = [process('a'), process('c', { status: 'finished' })];
    expect(keys(all, { collapsedGroups: new Set(['ended']) })).toEqual(['running', 'a', 'ended']);
  });

  it('move a failure that was seen to the ended', () => {
    expect(keys([process('b', { status: 'failed' })], {}, new Set(['b']))).toEqual(['ended', 'b']);
  });

  it('nest children below their parent when it is opened', () => {
    const all = [process('a'), process('b', { parent_id: 'a' })];
    expect(keys(all)).toEqual(['running', 'a']);
    const opened = draw(all, { expanded: new Set(['a']) });
    expect(opened.map(row => row.key)).toEqual(['running', 'a', 'b']);
    expect((opened[2] as IProcessRow).depth).toBe(1);
  });

  it('show a failed child of a living parent where it is noticed', () => {
    const all = [process('a'), process('b', { parent_id: 'a', status: 'failed' })];
    expect(keys(all)).toEqual(['running', 'a', 'attention', 'b']);
  });

  it('filter by every word, in any field, and open what matches', () => {
    const all = [
      process('train', { description: 'Large model' }),
      process('etl', { status: 'finished', error: null, path: '/data/large.py' }),
      process('other')
    ];
    expect(keys(all, { text: 'LARGE', collapsedGroups: new Set(['ended']) })).toEqual([
      'running',
      'train',
      'ended',
      'etl'
    ]);
    expect(keys(all, { text: 'large model' })).toEqual(['running', 'train']);
  });

  it('show only my own when asked', () => {
    expect(keys([process('a'), process('b', { user_id: 'ben' })], { mine: true })).toEqual(['running', 'a']);
  });

  it('are ordered as asked', () => {
    const memory = (rss: number) => ({
      cpu: 1,
      rss,
      threads: 1,
      children: 0,
      history: { t: [], cpu: [], rss: [] }
    });
    const all = [
      process('run-10', { resources: memory(1) }),
      process('run-9', { resources: memory(3), started_at: '2026-11-21T09:00:00Z' })
    ];
    expect(keys(all)).toEqual(['running', 'run-9', 'run-10']);
    expect(keys(all, { sort: 'name' })).toEqual(['running', 'run-9', 'run-10']);
    expect(keys(all, { sort: 'memory' })).toEqual(['running', 'run-9', 'run-10']);
    expect(keys(all, { sort: 'cpu' })).toEqual(['running', 'run-9', 'run-10']);
  });

  it('survive a process that claims to be its own parent', () => {
    expect(keys([process('a', { parent_id: 'a' })])).toEqual(['running', 'a']);
  });

  it('draw 10,000 processes in a blink', () => {
    const all = Array.from({ length: 10_000 }, (_, index) => process(`p${index}`));
    expect(draw(all)).toHaveLength(10_001);
  });
});

describe('lines', () => {
  it('appear only where they carry news', () => {
    expect(linesOf(process('a'), null)).toEqual({
      progress: false,
      now: false,
      waiting: false,
      children: false
    });
    const pausing = process('b', { status: 'pausing', request: request() });
    expect(linesOf(pausing, null).waiting).toBe(true);
    const paused = process('c', { status: 'paused', request: request({ outcome: 'effective' }) });
    expect(linesOf(paused, null).waiting).toBe(false);
  });

  it('give the height, so that nothing has to be measured', () => {
    const [, plain] = draw([process('a')]);
    const [, busy] = draw([
      process('b', { status: 'running', children: { ...process('').children, worker: 4 } })
    ]);
    expect(height(busy)).toBeGreaterThan(height(plain));
  });
});
