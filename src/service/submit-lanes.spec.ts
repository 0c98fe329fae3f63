import { describe, expect, it } from 'vitest';
import { item, specOf } from '../../test/rig/api-node.ts';
import { memory } from '../engines/memory/index.ts';
import { virtualClock } from '../platform/virtual-clock.ts';
import type { Ring } from '../ports/bells.ts';
import { silentLog } from '../ports/log.ts';
import { createService } from './create-service.ts';

const target = { tenant: 'default', queue: 'q' };
const call = { notAfterMs: undefined };

/** A node, what it rings, and how often it asks for the lowest of a lane. */
async function given() {
  const clock = virtualClock();
  const rings: Ring[] = [];
  let fails = false;
  const ring = (rung: Ring): 'rung' | 'failed' => {
    rings.push(rung);
    return fails ? 'failed' : 'rung';
  };
  const engine = memory({ clock, bells: 'apart', faults: { ring } });
  const asked: string[] = [];
  const lowest: typeof engine.store.lowest = (lane) => {
    asked.push(lane.orderingKey);
    return engine.store.lowest(lane);
  };
  const store = Object.assign(Object.create(engine.store) as typeof engine.store, { lowest });
  const options = { ...engine, store, node: 'node-1', clock, log: silentLog, createQueues: true };
  const { service } = await createService(options);
  const bellsFail = (fail: boolean): void => {
    fails = fail;
  };
  return { service, rings, asked, bellsFail };
}

const inLane = (key: string, lane: string) => item(key, { spec: specOf('{}', 'note', lane) });

describe('a call that submits several tasks of a lane', () => {
  it('rings the lowest once, after all of them', async () => {
    const { service, rings, asked } = await given();
    const keys = ['a', 'b', 'c', 'd'];
    const items = [...keys.map((key) => inLane(key, 'ann')), ...keys.map((key) => inLane(`${key}2`, 'bob'))];
    const results = await service.submit(target, items, call);
    expect(asked.sort()).toEqual(['ann', 'bob']);
    const first = [results[0], results[4]].map((one) => (one?.error === undefined ? one?.id : ''));
    expect(rings.map((rung) => rung.id).sort()).toEqual(first.sort());
  });

  it('acknowledges none of them where that bell was not rung, and rings for a repeat', async () => {
    const { service, rings, bellsFail } = await given();
    const items = [inLane('a', 'ann'), inLane('b', 'ann')];
    bellsFail(true);
    const refused = await service.submit(target, items, call);
    expect(refused.every(({ error }) => error !== undefined)).toBe(true);
    bellsFail(false);
    rings.length = 0;
    const accepted = await service.submit(target, items, call);
    expect(accepted.every(({ error }) => error === undefined)).toBe(true);
    expect(rings).not.toEqual([]);
  });
});
