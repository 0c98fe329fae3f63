/** Single changed bytes of a store’s file: each is noticed, or changes nothing that callers see. */
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { queue, StoreFixture } from '../../../../test/contract/store-fixture.ts';
import { HoldfastError } from '../../../core/errors.ts';
import type { Snapshot, TaskFilter } from '../../../ports/task-store.ts';
import { seededRandom } from '../../../testing/random.ts';
import { virtualClock } from '../../../testing/virtual-clock.ts';
import { type SqliteEngine, sqlite } from '../index.ts';
import { checkStore } from './check-store.ts';

const flips = 96;
const states: NonNullable<TaskFilter['state']>[] = [
  'scheduled',
  'ready',
  'running',
  'dead',
  'cancelled',
  'retrying',
];
const startMs = Date.UTC(2026, 5, 1);
const lanes = ['ann', 'bob'];

let folder: string;
let good: string;
let tasks: Snapshot[];
let truth: string;
let endMs: number;

async function open(path: string, checkUpToBytes?: number) {
  const clock = virtualClock({ startMs: endMs });
  const engine = await sqlite({ path, clock, ballastBytes: 0, checkUpToBytes });
  return { engine, fixture: new StoreFixture({ engine, clock, reopen: async () => engine }) };
}

/** Makes a store with tasks in each state, in lanes, with results, and with events that were moved out of a row. */
async function fill(engine: SqliteEngine, clock: ReturnType<typeof virtualClock>): Promise<Snapshot[]> {
  const fixture = new StoreFixture({ engine, clock, reopen: async () => engine });
  const made: Snapshot[] = [];
  for (let i = 0; i < 12; i++) {
    const payload = Buffer.from(`"payload ${i}"`);
    const running = await fixture.claim(await fixture.accept({ key: `succeeded/${i}`, payload }));
    made.push(await fixture.succeed(running, Buffer.from(`result ${i}`)));
    made.push(await fixture.accept({ key: `ready/${i}`, payload, options: { tags: ['eu'] } }));
  }
  for (let i = 0; i < 6; i++) {
    made.push(await fixture.accept({ key: `scheduled/${i}`, options: { delayMs: 3_600_000 } }));
    made.push(await fixture.die(await fixture.accept({ key: `dead/${i}` })));
    made.push(await fixture.cancel(await fixture.accept({ key: `cancelled/${i}` })));
    made.push(
      await fixture.fail(await fixture.claim(await fixture.accept({ key: `retrying/${i}` })), 60_000),
    );
    made.push(await fixture.claim(await fixture.accept({ key: `running/${i}` })));
    for (const orderingKey of lanes)
      made.push(await fixture.accept({ key: `${orderingKey}/${i}`, orderingKey }));
    await engine.registry.put('queue', `queue ${i}`, { paused: i % 2 === 0 }, 'absent');
  }
  let many = await fixture.accept({ key: 'many', options: { retry: { maxAttempts: 1_000 } } });
  for (let i = 0; i < 70; i++)
    many = await fixture.makeReady(await fixture.fail(await fixture.claim(many), 0));
  return [...made, many];
}

/** Returns everything that callers can see of the store. */
async function observe({ engine, fixture }: Awaited<ReturnType<typeof open>>): Promise<string> {
  const { store, now } = fixture;
  const seen: unknown[] = [];
  for (const { id, submission } of tasks) {
    seen.push(await store.read([id], now), await store.history(id, 0), await store.result(id));
    seen.push((await store.byKey(submission.scope, now))?.id);
  }
  for (const state of [undefined, ...states])
    seen.push((await fixture.listAll({ state })).items.map(({ id }) => id));
  for (const orderingKey of lanes) {
    seen.push((await fixture.listAll({ orderingKey })).items.map(({ id }) => id));
    seen.push(await store.lowest(fixture.lane(orderingKey)));
  }
  seen.push(await store.counts(queue, now), await fixture.dueIds(now + 10_000_000, 1_000));
  seen.push(await engine.registry.list('queue', ''));
  seen.push(
    (await engine.broker.expiredLeases?.(now + 100_000, 0, 100))?.map(({ snapshot }) => snapshot?.id),
  );
  const received = await fixture.receive({ tasks: 1_000, bytes: 1e9 });
  seen.push(received.map(({ snapshot }) => snapshot));
  return JSON.stringify(seen, (_, value) =>
    value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value,
  );
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-flips-'));
  good = join(folder, 'good.db');
  const clock = virtualClock({ startMs });
  const engine = await sqlite({ path: good, clock, ballastBytes: 0 });
  tasks = await fill(engine, clock);
  endMs = clock.now();
  await engine.close();
  const copy = join(folder, 'copy.db');
  copyFileSync(good, copy);
  const opened = await open(copy);
  truth = await observe(opened);
  await opened.engine.close();
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Writes a copy of the store in which one byte is changed, and returns its path. */
function flipped(name: string, random: () => number): { path: string; where: string } {
  const bytes = readFileSync(good);
  const at = Math.floor(random() * bytes.length);
  const mask = 1 + Math.floor(random() * 255);
  bytes[at] = (bytes[at] as number) ^ mask;
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return { path, where: `byte ${at} xor ${mask}` };
}

type Seen = 'refused' | 'failed' | 'same' | 'wrong';

async function seenOf(path: string, checkUpToBytes?: number): Promise<Seen> {
  let opened: Awaited<ReturnType<typeof open>>;
  try {
    opened = await open(path, checkUpToBytes);
  } catch (thrown) {
    expect(thrown).toBeInstanceOf(HoldfastError);
    return 'refused';
  }
  try {
    return (await observe(opened)) === truth ? 'same' : 'wrong';
  } catch (thrown) {
    expect(thrown).toBeInstanceOf(HoldfastError);
    return 'failed';
  } finally {
    await opened.engine.close();
  }
}

it(`of ${flips} stores with one changed byte each is refused, or all that callers see of it is as it was`, {
  timeout: 120_000,
}, async () => {
  const random = seededRandom(2_026);
  const counts = { refused: 0, failed: 0, same: 0, wrong: 0 };
  for (let i = 0; i < flips; i++) {
    const { path, where } = flipped(`small-${i}.db`, random);
    const seen = await seenOf(path);
    expect(seen, where).not.toBe('wrong');
    counts[seen]++;
  }
  expect(counts.refused).toBeGreaterThan(flips / 8);
});

it(`of ${flips} stores with one changed byte each that is too large for a check at the start, \`holdfast check\` finds each wrong one, and no damaged task is delivered`, {
  timeout: 120_000,
}, async () => {
  const random = seededRandom(7);
  for (let i = 0; i < flips; i++) {
    const { path, where } = flipped(`large-${i}.db`, random);
    const faults = faultsOf(path);
    const copy = `${path}.copy`;
    copyFileSync(path, copy);
    if ((await seenOf(copy, 0)) === 'wrong') expect(faults, where).not.toBe(0);
    for (const snapshot of await deliveredBy(path))
      expect(JSON.stringify(tasks.map(shape)), where).toContain(JSON.stringify(shape(snapshot)));
  }
});

function faultsOf(path: string): number {
  try {
    return checkStore(path).length;
  } catch (thrown) {
    expect(thrown).toBeInstanceOf(HoldfastError);
    return 1;
  }
}

function shape({ id, submission, head }: Snapshot): unknown {
  const { spec, scope, type, orderingKey, acceptedAtMs } = submission;
  return { id, spec: Buffer.from(spec).toString('hex'), scope, type, orderingKey, acceptedAtMs, head };
}

/** The tasks that a store gives to workers before it fails. */
async function deliveredBy(path: string): Promise<Snapshot[]> {
  const delivered: Snapshot[] = [];
  try {
    const { engine, fixture } = await open(path, 0);
    try {
      for (let more = true; more; ) {
        const received = await fixture.receive({ tasks: 1 });
        more = received.length > 0 && delivered.length < 1_000;
        for (const { snapshot } of received) if (snapshot !== undefined) delivered.push(snapshot);
      }
    } finally {
      await engine.close();
    }
  } catch (thrown) {
    expect(thrown).toBeInstanceOf(HoldfastError);
  }
  return delivered;
}
