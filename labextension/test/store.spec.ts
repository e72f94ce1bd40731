import { ApiError } from '../src/api/fetch';
import { PanelModel } from '../src/model/panel';
import { choose, extend, toggle } from '../src/model/selection';
import { Store, type IUpdate } from '../src/model/store';
import { transitions } from '../src/model/transitions';
import { list, process, request } from './helpers';

const NOW = Date.parse('2026-11-21T08:00:00Z');

describe('the store', () => {
  it('takes a part for what it is', () => {
    const store = new Store();
    store.apply(list([process('a'), process('b')]));
    store.apply(list([process('b', { status: 'paused' })], { partial: true, removed: ['a'], revision: 2 }));
    expect([...store.processes.keys()]).toEqual(['b']);
    expect(store.processes.get('b')?.status).toBe('paused');
    expect(store.since).toBe(2);
  });

  it('keeps what it knew when the server cannot be reached', () => {
    const store = new Store();
    store.apply(list([process('a')]));
    store.fail(new ApiError('gone', 0));
    expect(store.processes.size).toBe(1);
    expect(store.error?.status).toBe(0);
    store.apply(list([]));
    expect(store.error).toBeNull();
  });
});

describe('transitions', () => {
  const happened = (before: IUpdate['before'], after: IUpdate['after'], first = false) =>
    transitions({ first, before, after }, NOW).map(({ type }) => type);
  const of = (...processes: ReturnType<typeof process>[]) => new Map(processes.map(p => [p.process_id, p]));

  it('are nothing in the first answer', () => {
    expect(happened(new Map(), of(process('a', { status: 'failed' })), true)).toEqual([]);
  });

  it('tell of a failure and of a lost process once', () => {
    const failed = of(process('a', { status: 'failed' }));
    expect(happened(of(process('a')), failed)).toEqual(['failed']);
    expect(happened(failed, of(process('a', { status: 'failed' })))).toEqual([]);
    expect(happened(of(process('a')), of(process('a', { status: 'lost' })))).toEqual(['lost']);
  });

  it('tell of one that came and failed between two answers, but not of old failures', () => {
    const fresh = process('a', { status: 'failed', ended_at: '2026-11-21T07:59:59Z' });
    const old = process('a', { status: 'failed', ended_at: '2026-11-20T08:00:00Z' });
    expect(happened(new Map(), of(fresh))).toEqual(['failed']);
    expect(happened(new Map(), of(old))).toEqual([]);
  });

  it('tell of a request that was decided', () => {
    const asked = of(process('a', { status: 'pausing', request: request() }));
    const done = of(process('a', { status: 'paused', request: request({ outcome: 'effective' }) }));
    expect(happened(asked, done)).toEqual(['decided']);
  });
});

describe('the panel model', () => {
  const model = () => {
    const store = new Store();
    const panel = new PanelModel(store);
    store.apply(list([process('a'), process('b'), process('c')]));
    panel.sortBy('name');
    return panel;
  };

  it('forgets the selection of what has gone', () => {
    const panel = model();
    panel.select(choose('a'));
    panel.store.apply(list([process('b')]));
    expect(panel.chosen).toEqual([]);
  });

  it('shows details of exactly one', () => {
    const panel = model();
    panel.select(choose('a'));
    expect(panel.current?.name).toBe('a');
    panel.select(toggle(panel.selection, 'b'));
    expect(panel.current).toBeNull();
    expect(panel.chosen).toHaveLength(2);
  });

  it('extends a selection over the rows between', () => {
    const panel = model();
    panel.select(choose('a'));
    panel.select(extend(panel.selection, 'c', panel.rows));
    expect([...panel.selection.chosen]).toEqual(['a', 'b', 'c']);
  });

  it('opens and closes groups', () => {
    const panel = model();
    panel.toggle(panel.rows[0]);
    expect(panel.rows).toHaveLength(1);
    panel.toggle(panel.rows[0]);
    expect(panel.rows).toHaveLength(4);
  });

  it('draws its rows once for each change', () => {
    const panel = model();
    expect(panel.rows).toBe(panel.rows);
  });
});
