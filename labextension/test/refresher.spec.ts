import type { Event } from '@jupyterlab/services';
import { Signal } from '@lumino/signaling';

import type { Client } from '../src/api/client';
import { Clock } from '../src/model/clock';
import { Refresher } from '../src/model/refresher';
import { Store } from '../src/model/store';
import { list, process } from './helpers';

const SCHEMA = 'https://schema.tablevault.dev/changed/v1';

async function settle(milliseconds = 0): Promise<void> {
  await jest.advanceTimersByTimeAsync(milliseconds);
}

describe('the refresher', () => {
  const setUp = () => {
    const ask = jest.fn().mockResolvedValue(list([process('a')]));
    const source = {};
    const signal = new Signal<object, Event.Emission>(source);
    const store = new Store();
    const client = { list: ask } as unknown as Client;
    const refresher = new Refresher(client, store, new Clock(), signal as unknown as Event.Stream);
    const emit = (parts: string[]) => signal.emit({ schema_id: SCHEMA, parts });
    return { ask, emit, refresher, store };
  };

  beforeEach(() => jest.useFakeTimers());
  afterEach(() => jest.useRealTimers());

  it('asks once at the start, then nothing while nobody watches', async () => {
    const { ask, store } = setUp();
    await settle(60_000);
    expect(ask).toHaveBeenCalledTimes(1);
    expect(store.processes.size).toBe(1);
  });

  it('asks on news even unwatched, but not for CPU and memory', async () => {
    const { ask, emit } = setUp();
    await settle();
    emit(['resources']);
    await settle(1000);
    expect(ask).toHaveBeenCalledTimes(1);
    emit(['processes']);
    await settle(1000);
    expect(ask).toHaveBeenCalledTimes(2);
  });

  it('asks at its pace while it is watched, and stops afterwards', async () => {
    const { ask, refresher } = setUp();
    await settle();
    const unwatch = refresher.watch();
    await settle(16_000);
    const watched = ask.mock.calls.length;
    expect(watched).toBeGreaterThanOrEqual(4);
    unwatch();
    await settle(60_000);
    expect(ask.mock.calls.length - watched).toBeLessThanOrEqual(1);
  });

  it('answers a storm of events with few questions', async () => {
    const { ask, emit, refresher } = setUp();
    await settle();
    refresher.watch();
    await settle(100);
    const before = ask.mock.calls.length;
    for (let index = 0; index < 500; index++) {
      emit(['processes']);
    }
    await settle(1000);
    expect(ask.mock.calls.length - before).toBeLessThanOrEqual(3);
  });

  it('tells the store when the server cannot be reached, and recovers', async () => {
    const { ask, refresher, store } = setUp();
    await settle();
    ask.mockRejectedValueOnce(new Error('gone'));
    await refresher.refresh();
    expect(store.error?.message).toContain('gone');
    await refresher.refresh();
    expect(store.error).toBeNull();
  });
});
