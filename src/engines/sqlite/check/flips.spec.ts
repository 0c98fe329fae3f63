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

const flips = 50;
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
let truth: Seen;
/** The numbers of the bytes that are not zero: few of the others are used. */
let used: number[];
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

/** The texts of all that callers can see of a store, by the names of the calls. A call that fails has the error. */
type Seen = ReadonlyMap<string, string | HoldfastError>;

function textOf(value: unknown): string {
  return String(
    JSON.stringify(value, (_, part) =>
      part instanceof Uint8Array ? Buffer.from(part).toString('hex') : part,
    ),
  );
}

async function observe({ engine, fixture }: Awaited<ReturnType<typeof open>>): Promise<Seen> {
  const { store, now } = fixture;
  const seen = new Map<string, string | HoldfastError>();
  const see = async (name: string, call: () => unknown): Promise<void> => {
    try {
      seen.set(name, textOf(await call()));
    } catch (thrown) {
      expect(thrown, name).toBeInstanceOf(HoldfastError);
      seen.set(name, thrown as HoldfastError);
    }
  };
  for (const { id, submission } of tasks) {
    await see(`read ${id}`, () => store.read([id], now));
    await see(`history ${id}`, () => store.history(id, 0));
    await see(`result ${id}`, () => store.result(id));
    await see(`key ${submission.scope.key}`, () => store.byKey(submission.scope, now));
  }
  for (const state of [undefined, ...states])
    await see(`list ${state}`, async () => (await fixture.listAll({ state })).items);
  for (const orderingKey of lanes) {
    await see(`lane ${orderingKey}`, async () => (await fixture.listAll({ orderingKey })).items);
    await see(`lowest ${orderingKey}`, () => store.lowest(fixture.lane(orderingKey)));
  }
  await see('counts', () => store.counts(queue, now));
  await see('due', () => fixture.dueIds(now + 10_000_000, 1_000));
  await see('settings', () => engine.registry.list('queue', ''));
  await see('expired leases', () => engine.broker.expiredLeases?.(now + 100_000, 0, 100));
  await see('receive', async () =>
    (await fixture.receive({ tasks: 1_000, bytes: 1e9 })).map(({ snapshot }) => snapshot),
  );
  return seen;
}

/** Returns the names of the calls that returned something else than those of the unchanged store. */
function wrongIn(seen: Seen): string[] {
  return [...truth].flatMap(([name, right]) => {
    const found = seen.get(name);
    return found === right || found instanceof HoldfastError ? [] : [name];
  });
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
  expect([...truth.values()].filter((text) => text instanceof HoldfastError)).toEqual([]);
  used = [...readFileSync(good)].flatMap((byte, at) => (byte === 0 ? [] : [at]));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Writes a copy of the store in which one byte is changed, and returns its path. */
function flipped(name: string, random: () => number): { path: string; where: string } {
  const bytes = readFileSync(good);
  const place = random();
  const at = random() < 0.8 ? used[Math.floor(place * used.length)] : Math.floor(place * bytes.length);
  if (at === undefined) throw new RangeError('the store has no bytes');
  const mask = random() < 0.5 ? 1 << Math.floor(random() * 8) : 1 + Math.floor(random() * 255);
  bytes[at] = (bytes[at] as number) ^ mask;
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return { path, where: `byte ${at} xor ${mask}` };
}

/** Returns what callers see of a store, or undefined if it is refused when it is opened. */
async function seenOf(path: string, checkUpToBytes?: number): Promise<Seen | undefined> {
  let opened: Awaited<ReturnType<typeof open>>;
  try {
    opened = await open(path, checkUpToBytes);
  } catch (thrown) {
    expect(thrown).toBeInstanceOf(HoldfastError);
    return undefined;
  }
  try {
    return await observe(opened);
  } finally {
    await opened.engine.close();
  }
}

it(`of ${flips} stores with one changed byte each is refused, or all that callers see of it is as it was`, {
  timeout: 120_000,
}, async () => {
  const random = seededRandom(2_026);
  let refused = 0;
  for (let i = 0; i < flips; i++) {
    const { path, where } = flipped(`small-${i}.db`, random);
    const seen = await seenOf(path);
    if (seen === undefined) refused++;
    else expect(wrongIn(seen), where).toEqual([]);
  }
  expect(refused).toBeGreaterThan(flips / 8);
  expect(refused).toBeLessThan(flips);
});

it(`of ${flips} stores with one changed byte each that is too large for a check at the start, no task is read or delivered that is not as it was, and \`holdfast check\` finds each wrong one`, {
  timeout: 120_000,
}, async () => {
  const random = seededRandom(7);
  const all = new Set(tasks.map((task) => truth.get(`read ${task.id}`)));
  let found = 0;
  for (let i = 0; i < flips; i++) {
    const { path, where } = flipped(`large-${i}.db`, random);
    const faults = faultsOf(path);
    if (faults > 0) found++;
    const seen = await seenOf(path, 0);
    if (seen === undefined) continue;
    if (wrongIn(seen).length > 0) expect(faults, where).not.toBe(0);
    for (const task of returnedIn(seen)) expect(all, where).toContain(textOf([task]));
  }
  expect(found).toBeGreaterThan(flips / 8);
});

function faultsOf(path: string): number {
  try {
    return checkStore(path).length;
  } catch (thrown) {
    expect(thrown).toBeInstanceOf(HoldfastError);
    return 1;
  }
}

/** Returns the tasks that reads, lists and deliveries returned. */
function returnedIn(seen: Seen): unknown[] {
  const returned: unknown[] = [];
  for (const [name, text] of seen)
    if (typeof text === 'string' && /^(read|list|lane|receive)/.test(name))
      for (const task of JSON.parse(text) as unknown[]) if (task !== null) returned.push(task);
  return returned;
}
