import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { createClient } from '../src/client/create-client.ts';
import { checkStore } from '../src/engines/sqlite/check/check-store.ts';
import { sqlite } from '../src/engines/sqlite/index.ts';
import { defineTask, defineWorker, handle, typed } from '../src/index.ts';
import { inProcess } from '../src/node/in-process.ts';
import { startNode } from '../src/node/node.ts';
import { silentLog } from '../src/ports/log.ts';
import { virtualClock } from '../src/testing/virtual-clock.ts';

const stores = new URL('./fixtures/stores/', import.meta.url);
const queue = 'q';
const note = defineTask('note', { input: typed<{ text: string }>(), queue });
const fails = defineTask('fails', { input: typed<{ how: string }>(), queue });
const held = defineTask('held', { input: typed<{ text: string }>(), queue });
const hourMs = 3_600_000;

async function open(file: string, startMs: number) {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-earlier-'));
  const path = join(folder, 'queue.db');
  copyFileSync(new URL(file, stores), path);
  const clock = virtualClock({ startMs });
  const engine = await sqlite({ path, clock, log: silentLog, ballastBytes: 0 });
  const node = await startNode({ engine, clock, log: silentLog });
  const client = createClient(inProcess({ api: node.api, clock }), { clock });
  onTestFinished(async () => {
    const closing = Promise.all([client.close(), node.close(0)]);
    for (let i = 0; i < 60; i++) await clock.advance(1_000);
    await closing;
    const faults = checkStore(path);
    rmSync(folder, { recursive: true });
    expect(faults).toEqual([]);
  });
  const stateOf = async (key: string) => (await client.getByKey(key, { queue })).state;
  return { clock, client, stateOf };
}

test.each([
  [2, Date.UTC(2026, 10, 30, 8, 29, 0)],
  [4, Date.UTC(2026, 10, 30, 18, 11, 0)],
])(
  'a SQLite file of the earlier schema %i opens, its tasks finish, and a complete check then finds no fault',
  {
    timeout: 60_000,
  },
  async (schema, startMs) => {
    const { clock, client, stateOf } = await open(`schema-${schema}.sqlite`, startMs);
    expect(await stateOf('succeeded')).toBe('succeeded');
    expect(await stateOf('cancelled')).toBe('cancelled');
    const dead = await client.getByKey('dead', { queue });
    expect(dead).toMatchObject({ state: 'dead', deadReason: 'fatal', lastError: 'never right', tags: [] });
    expect(await client.getByKey('succeeded', { queue })).toMatchObject({
      tags: ['eu'],
      input: { text: 'done' },
    });

    const ran: string[] = [];
    const record = ({ text = '', how = '' }: { readonly text?: string; readonly how?: string }): void => {
      ran.push(text || how);
    };
    await client.work(
      defineWorker({ handlers: [handle(note, record), handle(fails, record), handle(held, record)] }),
    );
    for (let minutes = 0; minutes < 4 * 60; minutes++) await clock.advance(hourMs / 60);

    const unfinished = ['ready', 'scheduled', 'lane-1', 'lane-2', 'lane-3', 'retrying', 'snoozed', 'running'];
    for (const key of unfinished) expect([key, await stateOf(key)]).toEqual([key, 'succeeded']);
    expect(ran.filter((text) => text.startsWith('lane'))).toEqual(['lane 1', 'lane 2', 'lane 3']);
    expect(ran.toSorted()).toEqual(
      ['ready', 'scheduled', 'lane 1', 'lane 2', 'lane 3', 'retry', 'snooze', 'running'].toSorted(),
    );

    const again = await client.submit(note, { text: 'done' }, { idempotencyKey: 'succeeded' });
    expect(again).toMatchObject({ deduplicated: true, state: 'succeeded' });
    await client.task(dead.id).redrive();
    await clock.advance(hourMs / 60);
    expect(await stateOf('dead')).toBe('succeeded');
  },
);
