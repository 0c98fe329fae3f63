import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Bench } from '../../../../test/contract/store-fixture.ts';
import type { Accepted } from '../../../ports/task-store.ts';
import { type VirtualClock, virtualClock } from '../../../testing/virtual-clock.ts';
import { type SqliteEngine, sqlite } from '../index.ts';

const mb = 1_048_576;
const payload = new Uint8Array(10_000);

let folder: string;
let clock: VirtualClock;
let engine: SqliteEngine;
let bench: Bench;

async function open(maxBytes: number | undefined): Promise<void> {
  engine = await sqlite({ path: join(folder, 'queue.db'), clock, ballastBytes: mb, maxBytes });
  bench = new Bench({ engine, clock, reopen: async () => engine });
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-full-'));
  clock = virtualClock();
});
afterEach(async () => {
  await engine.close();
  rmSync(folder, { recursive: true });
});

/** Submits until the store says that it is full; what it said, and how many it took. */
async function fill(): Promise<{ refused: Accepted; taken: string[] }> {
  const taken: string[] = [];
  for (;;) {
    const [accepted] = await bench.store.accept([bench.acceptance({ payload })]);
    if (accepted?.kind !== 'fresh') return { refused: accepted as Accepted, taken };
    taken.push(accepted.snapshot.id);
  }
}

describe('a disk that is full', () => {
  it('refuses submissions with a reason, loses nothing that it took, and still takes what workers finished', async () => {
    await open(2 * mb);
    const running = [];
    for (const task of await bench.acceptMany(20)) running.push(await bench.claim(task));
    const { refused, taken } = await fill();
    expect(refused).toMatchObject({
      kind: 'failed',
      error: { code: 'RESOURCE_EXHAUSTED', reason: 'STORE_FULL', retryAfterMs: 5_000 },
    });
    expect(taken.length).toBeGreaterThan(50);
    for (const task of running) await bench.succeed(task, new Uint8Array(20_000));
    expect(await bench.store.counts({ tenant: 'acme', queue: 'mail' }, bench.now)).toMatchObject({
      ready: taken.length,
      running: 0,
    });
    for (const id of taken) expect((await bench.store.read([id], bench.now))[0]?.id).toBe(id);
  });

  it('applies the settlements of the very turn that found it full', async () => {
    await open(2 * mb);
    const running = await bench.claim(await bench.accept());
    const settled = bench.succeed(running);
    const submitted = bench.store.accept(
      Array.from({ length: 100 }, () => bench.acceptance({ payload: new Uint8Array(100_000) })),
    );
    expect((await settled).head.state).toBe('succeeded');
    for (const accepted of await submitted) {
      expect(accepted).toMatchObject({ kind: 'failed', error: { reason: 'STORE_FULL' } });
    }
  });

  it('gives nothing new to workers meanwhile, but what was given may be renewed', async () => {
    await open(2 * mb);
    const [first, second] = await bench.acceptMany(2);
    if (first === undefined || second === undefined) throw new Error('not accepted');
    const running = await bench.claim(first);
    await fill();
    const claim = await bench.append(bench.transition(second, bench.claimOf()));
    expect(claim).toMatchObject({ kind: 'failed', error: { reason: 'STORE_FULL' } });
    const leaseEndAtMs = bench.now + 30_000;
    const expectFencingToken = { fencingToken: running.head.fencingToken };
    await bench.done({
      kind: 'renewal',
      id: running.id,
      expect: expectFencingToken,
      leaseEndAtMs,
      progress: undefined,
    });
  });

  it('goes on by itself once there is room, and keeps room again', async () => {
    await open(2 * mb);
    const options = { windowMs: 60_000, lifetimeMs: 60_000, retentionMs: 60_000 };
    await bench.acceptMany(100, () => ({ payload, options }));
    await fill();
    expect(existsSync(join(folder, 'queue.db.ballast'))).toBe(false);
    await clock.advance(60_000 + 3_600_001);
    while ((await bench.store.purge(bench.now, 50)) > 0);
    await clock.advance(1_000);
    await bench.accept({ payload });
    expect(statSync(join(folder, 'queue.db.ballast')).size).toBe(mb);
  });

  it('is met the same way where the system limits the size of files', async () => {
    await open(undefined);
    const path = join(folder, 'small.db');
    const modules = {
      bench: new URL('../../../../test/contract/store-fixture.ts', import.meta.url).href,
      engine: new URL('../index.ts', import.meta.url).href,
      clock: new URL('../../../testing/virtual-clock.ts', import.meta.url).href,
    };
    const code = `
      import { Bench } from ${JSON.stringify(modules.bench)};
      import { sqlite } from ${JSON.stringify(modules.engine)};
      import { virtualClock } from ${JSON.stringify(modules.clock)};
      const clock = virtualClock();
      const engine = await sqlite({ path: ${JSON.stringify(path)}, clock, ballastBytes: 1_048_576, onFatal: (error) => console.log('fatal', error) });
      const bench = new Bench({ engine, clock });
      const running = await bench.claim(await bench.accept());
      let taken = 0;
      let refused;
      while (refused === undefined) {
        const [accepted] = await bench.store.accept([bench.acceptance({ payload: new Uint8Array(10_000) })]);
        if (accepted.kind === 'fresh') taken++;
        else refused = accepted.error.reason;
      }
      const settled = await bench.succeed(running);
      const { ready } = await bench.store.counts({ tenant: 'acme', queue: 'mail' }, bench.now);
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
