import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { StoreFixture } from '../../../../test/contract/store-fixture.ts';
import type { AcceptOutcome } from '../../../ports/task-store.ts';
import { type VirtualClock, virtualClock } from '../../../testing/virtual-clock.ts';
import { type SqliteEngine, sqlite } from '../index.ts';

const mb = 1_048_576;
const payload = new Uint8Array(10_000);

let folder: string;
let clock: VirtualClock;
let engine: SqliteEngine;
let fixture: StoreFixture;

async function open(maxBytes: number | undefined): Promise<void> {
  engine = await sqlite({ path: join(folder, 'queue.db'), clock, ballastBytes: mb, maxBytes });
  fixture = new StoreFixture({ engine, clock, reopen: async () => engine });
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-full-'));
  clock = virtualClock();
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
      error: { code: 'RESOURCE_EXHAUSTED', reason: 'STORE_FULL', retryAfterMs: 5_000 },
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
