import { expect } from 'vitest';
import type { AcceptOutcome, Snapshot } from '../../../src/ports/task-store.ts';
import { ids, type StoreFixture, type SubmissionRequest } from '../store-fixture.ts';
import type { Subject } from '../subject.ts';

const windowMs = 60_000;
const k: SubmissionRequest = { key: 'k', options: { windowMs } };

function fresh(accepted: readonly AcceptOutcome[]): Snapshot[] {
  return accepted.map((one) => (one.kind === 'fresh' ? one.snapshot : expect.fail(one.kind)));
}

/** Returns a task that has ended and whose deduplication window is over. */
async function replaceable(fixture: StoreFixture, request = k): Promise<Snapshot> {
  const ended = await fixture.cancel(await fixture.accept(request));
  await fixture.clock.advance(windowMs);
  return ended;
}

export const generations: Subject = (requires) => {
  requires(
    'a new task may take an idempotency key once the key’s task has ended and its deduplication window is over',
    async (fixture) => {
      const first = await replaceable(fixture);
      const second = await replaceable(fixture);
      expect(await fixture.store.byKey(second.submission.scope, fixture.now)).toEqual(second);
      const third = await fixture.accept(k);
      expect(await fixture.store.byKey(second.submission.scope, fixture.now)).toEqual(third);
      expect(new Set([first.id, second.id, third.id]).size).toBe(3);
    },
  );

  requires(
    'the idempotency key of an ended task is taken until the last millisecond of its deduplication window',
    async (fixture) => {
      const first = await fixture.cancel(await fixture.accept(k));
      await fixture.clock.advance(windowMs - 1);
      expect(await fixture.store.accept([fixture.acceptance(k)])).toEqual([
        { kind: 'existing', snapshot: first },
      ]);
      await fixture.clock.advance(1);
      fresh(await fixture.store.accept([fixture.acceptance(k)]));
    },
  );

  requires(
    'the idempotency key of an unfinished task stays taken, and a submission with that key returns the task',
    async (fixture) => {
      const running = await fixture.claim(await fixture.accept(k));
      await fixture.clock.advance(windowMs * 100);
      const [accepted] = await fixture.store.accept([fixture.acceptance(k)]);
      expect(accepted).toEqual({ kind: 'existing', snapshot: running });
    },
  );

  requires(
    'an older task of an idempotency key is still found by its id, with its events and result',
    async (fixture) => {
      const result = new Uint8Array([34, 1, 55]);
      const first = await fixture.succeed(await fixture.claim(await fixture.accept(k)), result);
      await fixture.clock.advance(windowMs);
      await fixture.accept(k);
      expect(await fixture.read(first)).toEqual(first);
      expect(await fixture.store.history(first.id, 0)).toHaveLength(3);
      expect(await fixture.store.result(first.id)).toEqual(result);
    },
  );

  requires(
    'an older task can still be changed after a newer task has taken its idempotency key',
    async (fixture) => {
      const first = await fixture.die(await fixture.accept(k));
      await fixture.clock.advance(windowMs);
      const second = await fixture.accept(k);
      const redriven = await fixture.redrive(first);
      expect(redriven.head.state).toBe('waiting');
      expect(await fixture.read(second)).toEqual(second);
    },
  );

  requires(
    'exactly one of several concurrent submissions gets an idempotency key that is free again',
    async (fixture) => {
      await replaceable(fixture);
      const calls = Array.from({ length: 5 }, () => fixture.store.accept([fixture.acceptance(k)]));
      const kinds = (await Promise.all(calls)).flat().map((one) => one.kind);
      expect(kinds.filter((kind) => kind === 'fresh')).toHaveLength(1);
      expect(kinds.filter((kind) => kind === 'existing')).toHaveLength(4);
    },
  );

  requires(
    'the second of two submissions with the same free idempotency key in one batch returns the task of the first submission',
    async (fixture) => {
      await replaceable(fixture);
      const [first, existing] = await fixture.store.accept([fixture.acceptance(k), fixture.acceptance(k)]);
      if (first?.kind !== 'fresh' || existing?.kind !== 'existing')
        expect.fail('expected one fresh and one existing task');
      expect(existing.snapshot.id).toBe(first.snapshot.id);
    },
  );

  requires(
    'submissions with idempotency keys that are free again get their lane numbers in the order of their batch',
    async (fixture) => {
      const orderingKey = 'ann';
      const request = (key: string): SubmissionRequest => ({ key, orderingKey, options: { windowMs } });
      for (const key of ['b', 'd', 'e']) {
        const ended = await replaceable(fixture, request(key));
        await fixture.store.leaveLane(fixture.lane(orderingKey), ended.id, ended.laneSeq);
      }
      const existing = await fixture.accept(request('taken'));
      const keys = ['a', 'b', 'taken', 'c', 'd', 'e', 'f'];
      const accepted = await fixture.store.accept(keys.map((key) => fixture.acceptance(request(key))));
      expect(accepted[2]).toEqual({ kind: 'existing', snapshot: existing });
      const others = fresh(accepted.filter((_, i) => i !== 2));
      const listed = await fixture.listAll({ orderingKey });
      expect(ids(listed.items)).toEqual(ids([existing, ...others]));
      const seqs = others.map((task) => task.laneSeq ?? Number.NaN);
      expect(seqs).toEqual(seqs.toSorted((a, b) => a - b));
    },
  );
};
