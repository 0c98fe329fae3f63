import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { nodeOn } from '../../../../test/contract/explained.ts';
import { StoreFixture } from '../../../../test/contract/store-fixture.ts';
import { recordingLog } from '../../../../test/fixtures/listening-node.ts';
import type { AcceptOutcome } from '../../../ports/task-store.ts';
import { type VirtualClock, virtualClock } from '../../../testing/virtual-clock.ts';
import { type SqliteEngine, sqlite } from '../index.ts';

const mb = 1_048_576;
const payload = new Uint8Array(10_000);

let folder: string;
let clock: VirtualClock;
let engine: SqliteEngine;
let fixture: StoreFixture;
let log: ReturnType<typeof recordingLog>;

async function open(maxBytes: number | undefined): Promise<void> {
  engine = await sqlite({ path: join(folder, 'queue.db'), clock, log, ballastBytes: mb, maxBytes });
  fixture = new StoreFixture({ engine, clock, reopen: async () => engine });
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-full-'));
  clock = virtualClock();
  log = recordingLog();
});
afterEach(async () => {
  await engine.close();
  rmSync(folder, { recursive: true });
});

/**
 * Submits tasks until the store is full. Returns the outcome of the refused submission and the ids of the accepted
 * tasks.
 */
async function fill(): Promise<{ refused: AcceptOutcome; taken: string[] }> {
  const taken: string[] = [];
  for (;;) {
    const [accepted] = await fixture.store.accept([fixture.acceptance({ payload })]);
    if (accepted?.kind !== 'fresh') return { refused: accepted as AcceptOutcome, taken };
    taken.push(accepted.snapshot.id);
  }
}

describe('a store on a full disk', () => {
  it('refuses submissions with STORE_FULL, loses no accepted task, and still takes settlements', async () => {
    await open(2 * mb);
    const running = [];
    for (const task of await fixture.acceptMany(20)) running.push(await fixture.claim(task));
    const { refused, taken } = await fill();
    expect(refused).toMatchObject({
      kind: 'failed',
      error: {
        ...{ code: 'RESOURCE_EXHAUSTED', reason: 'STORE_FULL', retryAfterMs: 5_000 },
        help: expect.stringContaining('Free at least 2 MiB'),
      },
    });
    expect(taken.length).toBeGreaterThan(50);
    for (const task of running) await fixture.succeed(task, new Uint8Array(20_000));
    expect(await fixture.store.counts({ tenant: 'acme', queue: 'mail' }, fixture.now)).toMatchObject({
      ready: taken.length,
      running: 0,
    });
    for (const id of taken) expect((await fixture.store.read([id], fixture.now))[0]?.id).toBe(id);
  });

  it('applies the settlements of the commit batch that found the disk full', async () => {
    await open(2 * mb);
    const running = await fixture.claim(await fixture.accept());
    const settled = fixture.succeed(running);
    const submitted = fixture.store.accept(
      Array.from({ length: 100 }, () => fixture.acceptance({ payload: new Uint8Array(100_000) })),
    );
    expect((await settled).head.state).toBe('succeeded');
    for (const accepted of await submitted) {
      expect(accepted).toMatchObject({ kind: 'failed', error: { reason: 'STORE_FULL' } });
    }
  });

  it('refuses claims, but renews the leases of running tasks', async () => {
    await open(2 * mb);
    const [first, second] = await fixture.acceptMany(2);
    if (first === undefined || second === undefined) throw new Error('not accepted');
    const running = await fixture.claim(first);
    await fill();
    const claim = await fixture.append(fixture.transition(second, fixture.claimCommand()));
    expect(claim).toMatchObject({ kind: 'failed', error: { reason: 'STORE_FULL' } });
    const leaseEndAtMs = fixture.now + 30_000;
    const expectFencingToken = { fencingToken: running.head.fencingToken };
    await fixture.apply({
      kind: 'renewal',
      id: running.id,
      expect: expectFencingToken,
      leaseEndAtMs,
      begun: true,
      progress: undefined,
    });
  });

  it('accepts tasks and writes its reserve file (the ballast) anew by itself once the disk has room', async () => {
    await open(2 * mb);
    const options = { windowMs: 60_000, lifetimeMs: 60_000, retentionMs: 60_000 };
    await fixture.acceptMany(100, () => ({ payload, options }));
    await fill();
    expect(existsSync(join(folder, 'queue.db.ballast'))).toBe(false);
    await clock.advance(60_000 + 3_600_001);
    while ((await fixture.store.purge(fixture.now, 50)) > 0);
    await clock.advance(1_000);
    await fixture.accept({ payload });
    expect(statSync(join(folder, 'queue.db.ballast')).size).toBe(mb);
  });

  it('is the cause for which each waiting task waits, and the first trouble, until the disk has room', async () => {
    await open(2 * mb);
    const { service, submit, verdict } = await nodeOn(fixture);
    const id = await submit('a');
    const request = { tenant: 'default', queue: undefined, mayRead: () => true };
    expect(await verdict(id)).toMatchObject({ code: 'NO_WORKER' });
    const options = { windowMs: 60_000, lifetimeMs: 60_000, retentionMs: 60_000 };
    await fixture.acceptMany(100, () => ({ payload, options }));
    const sinceMs = clock.now();
    await fill();
    const full = { code: 'STORE_FULL', sinceMs, evidence: { neededBytes: 2 * mb } };
    const sentence =
      "The disk of the server's store is full, and no task is accepted or begins until at least 2 MiB of it are free.";
    expect(await verdict(id)).toMatchObject({ ...full, sentence });
    expect((await service.trouble(request)).groups).toMatchObject([{ ...full, count: 1, oldestIds: [id] }]);
    const elsewhere = { ...request, tenant: 'other' };
    expect((await service.trouble(elsewhere)).groups).toMatchObject([{ ...full, count: 0, queue: '' }]);
    await clock.advance(60_000 + 3_600_001);
    while ((await fixture.store.purge(fixture.now, 50)) > 0);
    await clock.advance(1_000);
    expect(await verdict(id)).toMatchObject({ code: 'NO_WORKER' });
    expect((await service.trouble(request)).groups).toMatchObject([{ code: 'NO_WORKER', count: 1 }]);
  });

  it('logs each minute how much of the disk is free and how much must be, and goes on without any call', async () => {
    await open(2 * mb);
    const options = { windowMs: 60_000, lifetimeMs: 60_000, retentionMs: 60_000 };
    await fixture.acceptMany(100, () => ({ payload, options }));
    await fill();
    const waits = () =>
      log.lines.filter(({ message }) => message.startsWith('the store waits for free space'));
    await clock.advance(59_999);
    expect(waits()).toEqual([]);
    await clock.advance(1);
    expect(waits()).toMatchObject([
      { level: 'warn', path: join(folder, 'queue.db'), free_bytes: expect.any(Number), needed_bytes: 2 * mb },
    ]);
    await clock.advance(60_000);
    expect(waits()).toHaveLength(2);
    await clock.advance(3_600_001);
    while ((await fixture.store.purge(fixture.now, 50)) > 0);
    await clock.advance(120_000);
    const count = waits().length;
    expect(log.lines.at(-1)).toMatchObject({ message: 'the store has room again' });
    await clock.advance(600_000);
    expect(waits()).toHaveLength(count);
  });

  it('refuses submissions and takes settlements also if the operating system limits the size of files', async () => {
    await open(undefined);
    const path = join(folder, 'small.db');
    const modules = {
      fixture: new URL('../../../../test/contract/store-fixture.ts', import.meta.url).href,
      engine: new URL('../index.ts', import.meta.url).href,
      clock: new URL('../../../testing/virtual-clock.ts', import.meta.url).href,
    };
    const code = `
      import { StoreFixture } from ${JSON.stringify(modules.fixture)};
      import { sqlite } from ${JSON.stringify(modules.engine)};
      import { virtualClock } from ${JSON.stringify(modules.clock)};
      const clock = virtualClock();
      const engine = await sqlite({ path: ${JSON.stringify(path)}, clock, ballastBytes: 1_048_576, onFatal: (error) => console.log('fatal', error) });
      const fixture = new StoreFixture({ engine, clock });
      const running = await fixture.claim(await fixture.accept());
      let taken = 0;
      let refused;
      while (refused === undefined) {
        const [accepted] = await fixture.store.accept([fixture.acceptance({ payload: new Uint8Array(10_000) })]);
        if (accepted.kind === 'fresh') taken++;
        else refused = accepted.error.reason;
      }
      const settled = await fixture.succeed(running);
      const { ready } = await fixture.store.counts({ tenant: 'acme', queue: 'mail' }, fixture.now);
      await engine.close();
      console.log(JSON.stringify({ enough: taken > 50, same: ready === taken, refused, state: settled.head.state }));
    `;
    const limited = spawnSync(
      'bash',
      ['-c', 'ulimit -f 4096; exec "$0" --input-type=module-typescript -e "$1"', process.execPath, code],
      { encoding: 'utf8' },
    );
    expect(limited.stderr).toBe('');
    expect(limited.stdout).toBe(
      `${JSON.stringify({ enough: true, same: true, refused: 'STORE_FULL', state: 'succeeded' })}\n`,
    );
  });
});
