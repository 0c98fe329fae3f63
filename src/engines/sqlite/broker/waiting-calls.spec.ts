import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { queue, StoreFixture } from '../../../../test/contract/store-fixture.ts';
import type { Delivery } from '../../../ports/broker.ts';
import { type VirtualClock, virtualClock } from '../../../testing/virtual-clock.ts';
import { type SqliteEngine, sqlite } from '../index.ts';

let folder: string;
let clock: VirtualClock;
let engine: SqliteEngine;
let fixture: StoreFixture;
/** How often a waiting call was looked at whether it has room for tasks. */
let looks: number;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-waiting-'));
  clock = virtualClock();
  engine = await sqlite({ path: join(folder, 'queue.db'), clock, ballastBytes: 0 });
  fixture = new StoreFixture({ engine, clock, reopen: async () => engine });
  looks = 0;
});
afterEach(async () => {
  await engine.close();
  rmSync(folder, { recursive: true });
});

function wait(type: string, maxVersion = 1): { readonly deliveries: Delivery[] } {
  const deliveries: Delivery[] = [];
  const room = () => {
    looks++;
    return { tasks: 1, bytes: 1_000_000 };
  };
  const request = {
    types: [{ type, maxVersion }],
    room,
    waitMs: 60_000,
    signal: new AbortController().signal,
  };
  void engine.broker.receive([queue], request).then((found) => deliveries.push(...found));
  return { deliveries };
}

it('a new task is offered to one of the waiting calls that take its type, and to no other one', async () => {
  for (let i = 0; i < 100; i++) wait('other');
  const newer = await fixture.accept({ type: 'late', typeVersion: 2 });
  for (let i = 0; i < 100; i++) wait('late');
  const calls = Array.from({ length: 100 }, () => wait('email'));
  await clock.advance(1_000);
  looks = 0;
  const task = await fixture.accept({ type: 'email' });
  await clock.advance(2_000);
  expect(calls.map(({ deliveries }) => deliveries.length).filter((count) => count > 0)).toEqual([1]);
  expect(calls[0]?.deliveries[0]?.message.id).toBe(task.id);
  expect(looks).toBe(1);
  const [found] = await Promise.all([wait('late', 2), clock.settle()]);
  expect(found.deliveries.map(({ message }) => message.id)).toEqual([newer.id]);
});

it('a task whose lease has expired is delivered to a call that waits for its type', async () => {
  const task = await fixture.accept({ type: 'email' });
  await fixture.claim(task);
  wait('other');
  const call = wait('email');
  await clock.advance(40_000);
  expect(call.deliveries.map(({ message }) => message.id)).toEqual([task.id]);
});
