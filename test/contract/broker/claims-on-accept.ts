import { expect } from 'vitest';
import { timing } from '../../../src/core/limits.ts';
import { fold } from '../../../src/core/task/evolve.ts';
import type { Acceptance, Snapshot } from '../../../src/ports/task-store.ts';
import { queue, type StoreFixture, type SubmissionRequest } from '../store-fixture.ts';
import type { Subject } from '../subject.ts';

/** Returns a new task to store that is already claimed, as the service makes it for a worker that waits. */
function claimedAcceptance(fixture: StoreFixture, request: SubmissionRequest = {}): Acceptance {
  const acceptance = fixture.acceptance(request);
  const { submission, head } = acceptance;
  const task: Snapshot = { id: '', submission, laneSeq: undefined, head, tip: [] };
  const decision = fixture.decide(task, fixture.claimCommand());
  const [claimed] = decision.events;
  if (claimed?.kind !== 'claimed') throw new Error('not claimed');
  return { ...acceptance, head: decision.head, claimed };
}

async function acceptClaimed(fixture: StoreFixture, request: SubmissionRequest = {}): Promise<Snapshot> {
  const [accepted] = await fixture.store.accept([claimedAcceptance(fixture, request)]);
  if (accepted?.kind !== 'fresh') throw new Error('not fresh');
  return accepted.snapshot;
}

/** The requirements for a store that can claim a task in the commit that accepts it (`can.claimOnAccept`). */
export const claimsOnAccept: Subject = (requires) => {
  requires(
    'a task that is claimed in the commit that accepts it has the same events and revision as a task that two commits accept and claim',
    async (fixture) => {
      expect(fixture.store.can.claimOnAccept).toBe(true);
      const task = await acceptClaimed(fixture, { options: { deadlineAtMs: fixture.now + 60_000 } });
      expect(task.head).toMatchObject({ state: 'running', revision: 2, version: 2, attempt: 1 });
      expect(task.head.leaseSecret).not.toBe('');
      expect(fold([task.submission.submitted, ...task.tip])).toMatchObject({ state: 'running', version: 2 });
      expect(await fixture.read(task)).toEqual(task);
      expect(await fixture.store.history(task.id, 0)).toEqual([task.submission.submitted, ...task.tip]);
      expect(await fixture.store.counts(queue, fixture.now)).toMatchObject({ ready: 0, running: 1 });
      expect(await fixture.dueIds(fixture.now + 100_000)).toEqual([]);
    },
  );

  requires(
    'a task that was claimed in the commit that accepted it is settled by its worker and not delivered meanwhile',
    async (fixture) => {
      const task = await acceptClaimed(fixture);
      expect(await fixture.receive()).toEqual([]);
      const ended = await fixture.succeed(task, new Uint8Array([7]));
      expect(ended.head).toMatchObject({ state: 'succeeded', revision: 3, version: 3 });
      expect(await fixture.store.result(task.id)).toEqual(new Uint8Array([7]));
      await fixture.clock.advance(timing.leaseMs * 2);
      expect(await fixture.receive()).toEqual([]);
    },
  );

  requires(
    'a task that was claimed in the commit that accepted it is delivered when its lease expires, also after a restart',
    async (fixture) => {
      const task = await acceptClaimed(fixture);
      await fixture.reopen();
      await fixture.clock.advance(timing.leaseMs + timing.clockGuardMs - 1);
      expect(await fixture.receive()).toEqual([]);
      await fixture.clock.advance(500);
      const delivery = await fixture.receiveOne();
      expect(delivery.snapshot).toEqual(task);
      const second = await fixture.claim(task);
      expect(second.tip.map((event) => event.kind)).toEqual(['claimed', 'leaseExpired', 'claimed']);
    },
  );

  requires(
    'a submission to be claimed at once whose idempotency key is taken returns the existing task and claims nothing',
    async (fixture) => {
      const first = await fixture.accept({ key: 'k' });
      const [again, fresh] = await fixture.store.accept([
        claimedAcceptance(fixture, { key: 'k' }),
        claimedAcceptance(fixture, { key: 'other' }),
      ]);
      expect(again).toEqual({ kind: 'existing', snapshot: first });
      expect(fresh?.kind).toBe('fresh');
      expect(await fixture.read(first)).toEqual(first);
    },
  );

  requires('a waiting receive call is idle until it gets a delivery or is aborted', async (fixture) => {
    const ending = new AbortController();
    const request = fixture.receiveRequest({ waitMs: 60_000, signal: ending.signal });
    expect(fixture.broker.isIdle?.(request)).toBe(false);
    const received = fixture.broker.receive([queue], request);
    await fixture.clock.advance(10);
    expect(fixture.broker.isIdle?.(request)).toBe(true);
    await fixture.accept();
    expect(fixture.broker.isIdle?.(request)).toBe(false);
    expect(await received).toHaveLength(1);
    const another = fixture.receiveRequest({ waitMs: 60_000, signal: ending.signal, tasks: 0 });
    const waiting = fixture.broker.receive([queue], another);
    await fixture.clock.advance(10);
    expect(fixture.broker.isIdle?.(another)).toBe(true);
    ending.abort();
    expect(fixture.broker.isIdle?.(another)).toBe(false);
    expect(await waiting).toEqual([]);
  });
};
