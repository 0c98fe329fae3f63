import { expect } from 'vitest';
import { timing } from '../../../src/core/limits.ts';
import { fold } from '../../../src/core/task/evolve.ts';
import type { Acceptance, Snapshot } from '../../../src/ports/task-store.ts';
import { type Asked, type Bench, queue } from '../store-fixture.ts';
import type { Subject } from '../subject.ts';

/** An acceptance with its first claim, as the service makes it for a worker that waits. */
function claimedAcceptance(bench: Bench, asked: Asked = {}): Acceptance {
  const acceptance = bench.acceptance(asked);
  const { submission, head } = acceptance;
  const task: Snapshot = { id: '', submission, laneSeq: undefined, head, tip: [] };
  const decision = bench.decide(task, bench.claimOf());
  const [claimed] = decision.events;
  if (claimed?.kind !== 'claimed') throw new Error('not claimed');
  return { ...acceptance, head: decision.head, claimed };
}

async function acceptClaimed(bench: Bench, asked: Asked = {}): Promise<Snapshot> {
  const [accepted] = await bench.store.accept([claimedAcceptance(bench, asked)]);
  if (accepted?.kind !== 'fresh') throw new Error('not fresh');
  return accepted.snapshot;
}

/** For stores that can fuse a claim with its acceptance. */
export const firstClaims: Subject = (says) => {
  says('it runs at once, as if accepted and then claimed: two events, two writes', async (bench) => {
    expect(bench.store.can.claimOnAccept).toBe(true);
    const task = await acceptClaimed(bench, { options: { deadlineAtMs: bench.now + 60_000 } });
    expect(task.head).toMatchObject({ state: 'running', revision: 2, version: 2, attempt: 1 });
    expect(fold([task.submission.submitted, ...task.tip])).toMatchObject({ state: 'running', version: 2 });
    expect(await bench.read(task)).toEqual(task);
    expect(await bench.store.history(task.id, 0)).toEqual([task.submission.submitted, ...task.tip]);
    expect(await bench.store.counts(queue, bench.now)).toMatchObject({ ready: 0, running: 1 });
    expect(await bench.dueIds(bench.now + 100_000)).toEqual([]);
  });

  says('its holder settles it, and nobody hears it meanwhile', async (bench) => {
    const task = await acceptClaimed(bench);
    expect(await bench.receive()).toEqual([]);
    const ended = await bench.succeed(task, new Uint8Array([7]));
    expect(ended.head).toMatchObject({ state: 'succeeded', revision: 3, version: 3 });
    expect(await bench.store.result(task.id)).toEqual(new Uint8Array([7]));
    await bench.clock.advance(timing.leaseMs * 2);
    expect(await bench.receive()).toEqual([]);
  });

  says('its bell comes back by itself when the lease is spent, also in the next process', async (bench) => {
    const task = await acceptClaimed(bench);
    await bench.reopen();
    await bench.clock.advance(timing.leaseMs + timing.clockGuardMs - 1);
    expect(await bench.receive()).toEqual([]);
    await bench.clock.advance(500);
    const delivery = await bench.receiveOne();
    expect(delivery.snapshot).toEqual(task);
    const second = await bench.claim(task);
    expect(second.tip.map((event) => event.kind)).toEqual(['claimed', 'leaseExpired', 'claimed']);
  });

  says('a key that is taken is answered with who has it, and nothing is claimed', async (bench) => {
    const first = await bench.accept({ key: 'k' });
    const [again, fresh] = await bench.store.accept([
      claimedAcceptance(bench, { key: 'k' }),
      claimedAcceptance(bench, { key: 'other' }),
    ]);
    expect(again).toEqual({ kind: 'existing', snapshot: first });
    expect(fresh?.kind).toBe('fresh');
    expect(await bench.read(first)).toEqual(first);
  });

  says('a receive waits until it is given something or ended', async (bench) => {
    const ending = new AbortController();
    const want = bench.want({ waitMs: 60_000, signal: ending.signal });
    expect(bench.broker.isIdle?.(want)).toBe(false);
    const received = bench.broker.receive([queue], want);
    await bench.clock.advance(10);
    expect(bench.broker.isIdle?.(want)).toBe(true);
    await bench.accept();
    expect(bench.broker.isIdle?.(want)).toBe(false);
    expect(await received).toHaveLength(1);
    const another = bench.want({ waitMs: 60_000, signal: ending.signal, tasks: 0 });
    const waiting = bench.broker.receive([queue], another);
    await bench.clock.advance(10);
    expect(bench.broker.isIdle?.(another)).toBe(true);
    ending.abort();
    expect(bench.broker.isIdle?.(another)).toBe(false);
    expect(await waiting).toEqual([]);
  });
};
