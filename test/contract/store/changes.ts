import { expect } from 'vitest';
import type { Snapshot, Transition } from '../../../src/ports/task-store.ts';
import type { Bench } from '../store-fixture.ts';
import type { Subject } from '../subject.ts';

function settlement(bench: Bench, task: Snapshot): Transition {
  const { fencingToken, version } = task.head;
  return bench.transition(task, bench.settleOf(task), { expect: { fencingToken, version } });
}

export const changes: Subject = (says) => {
  says(
    'a change on the revision that was read is written: events, head, the next revision',
    async (bench) => {
      const task = await bench.accept();
      const change = bench.transition(task, bench.claimOf());
      const outcome = await bench.append(change);
      const head = { ...change.head, revision: 2 };
      expect(outcome).toEqual({ kind: 'done', head, laneSeq: undefined });
      expect(await bench.read(task)).toEqual({ ...task, head, tip: change.events });
    },
  );

  says('the revision is the store’s: what the writer put there is ignored', async (bench) => {
    const task = await bench.accept();
    const change = bench.transition(task, bench.claimOf());
    const done = await bench.done({ ...change, head: { ...change.head, revision: 77 } });
    expect(done.head.revision).toBe(2);
  });

  says('a change on another revision is refused with what stands, and changes nothing', async (bench) => {
    const task = await bench.accept();
    const running = await bench.claim(task);
    const late = bench.transition(task, { kind: 'cancel', actor: 'op', message: '' });
    expect(await bench.append(late)).toEqual({ kind: 'refused', current: running });
    const early = bench.transition(running, bench.settleOf(running), { expect: { revision: 3 } });
    expect(await bench.append(early)).toEqual({ kind: 'refused', current: running });
    expect(await bench.read(task)).toEqual(running);
  });

  says(
    'a first look may presume what was submitted; whoever acts on it is refused with what stands',
    async (bench) => {
      const readAsSubmitted = async (...tasks: { readonly id: string }[]) =>
        (bench.store.readAsSubmitted ?? bench.store.read).call(
          bench.store,
          tasks.map((task) => task.id),
          bench.now,
        );
      const ready = await bench.accept();
      const scheduled = await bench.accept({ options: { delayMs: 1_000 } });
      const taken = await bench.accept();
      expect(await readAsSubmitted(taken, { id: 'nobody' }, ready)).toEqual([taken, undefined, ready]);
      const running = await bench.claim(taken);
      expect(await readAsSubmitted(scheduled)).toEqual([scheduled]);
      const made = await bench.makeReady(scheduled);
      expect(await readAsSubmitted(made)).toEqual([made]);
      const [asSubmitted] = await readAsSubmitted(running);
      if (asSubmitted?.head.revision !== 1) expect(asSubmitted).toEqual(running);
      else {
        expect(asSubmitted).toEqual(taken);
        const claim = bench.transition(asSubmitted, bench.claimOf());
        expect(await bench.append(claim)).toEqual({ kind: 'refused', current: running });
      }
      // What it was told does no harm to what comes after.
      expect((await bench.succeed(running)).tip).toHaveLength(2);
    },
  );

  says('a change of what does not exist is refused with nothing', async (bench) => {
    const task = await bench.accept();
    const change = { ...bench.transition(task, bench.claimOf()), id: 'nobody' };
    expect(await bench.append(change)).toEqual({ kind: 'refused', current: undefined });
  });

  says('of two that race on one revision exactly one wins', async (bench) => {
    const task = await bench.accept();
    const calls = Array.from({ length: 6 }, () => bench.append(bench.transition(task, bench.claimOf())));
    const outcomes = await Promise.all(calls);
    expect(outcomes.filter((one) => one.kind === 'done')).toHaveLength(1);
    expect(outcomes.filter((one) => one.kind === 'refused')).toHaveLength(5);
    expect((await bench.read(task)).head.version).toBe(2);
  });

  says('items of one batch are judged in turn, each alone', async (bench) => {
    const [a, b, c] = await bench.acceptMany(3);
    if (!a || !b || !c) expect.fail();
    const change = (task: Snapshot) => bench.transition(task, bench.claimOf());
    const batch = [change(a), change(a), { ...change(b), expect: { revision: 9 } }, change(c)];
    const outcomes = await bench.store.append(batch);
    expect(outcomes.map((one) => one.kind)).toEqual(['done', 'refused', 'refused', 'done']);
    expect((await bench.read(b)).head.state).toBe('waiting');
    expect((await bench.read(c)).head.state).toBe('running');
  });

  says('the holder settles by token and version, undisturbed by heartbeats in between', async (bench) => {
    const running = await bench.claim(await bench.accept());
    const { fencingToken } = running.head;
    const leaseEndAtMs = bench.now + 60_000;
    await bench.done({
      kind: 'renewal',
      id: running.id,
      expect: { fencingToken },
      leaseEndAtMs,
      progress: undefined,
    });
    const done = await bench.done(settlement(bench, running));
    expect(done.head).toMatchObject({ state: 'succeeded', revision: 4, version: 3 });
  });

  says('a settlement with another token is refused', async (bench) => {
    const running = await bench.claim(await bench.accept());
    const change = settlement(bench, running);
    const { version, fencingToken } = running.head;
    const stale = { ...change, expect: { fencingToken: fencingToken - 1, version } };
    expect(await bench.append(stale)).toEqual({ kind: 'refused', current: running });
  });

  says('a settlement with another version is refused: something happened since', async (bench) => {
    const running = await bench.claim(await bench.accept());
    const asked = await bench.cancel(running);
    expect(asked.head).toMatchObject({ state: 'running', cancelRequested: true });
    expect(await bench.append(settlement(bench, running))).toEqual({ kind: 'refused', current: asked });
  });

  says(
    'a settlement after the end is refused, though token and version are those of the head',
    async (bench) => {
      const running = await bench.claim(await bench.accept());
      const change = settlement(bench, running);
      const done = await bench.done(change);
      const { version, fencingToken } = done.head;
      const head = { ...change.head, version: version + 1 };
      const again = await bench.append({ ...change, head, expect: { fencingToken, version } });
      expect(again).toEqual({ kind: 'refused', current: done });
    },
  );

  says('a worker whose lease was expired can change nothing', async (bench) => {
    const running = await bench.claim(await bench.accept());
    await bench.clock.advance(33_000);
    const taken = await bench.done(bench.transition(running, bench.claimOf()));
    expect(taken.tip.map((event) => event.kind)).toEqual(['claimed', 'leaseExpired', 'claimed']);
    expect(taken.head.fencingToken).toBeGreaterThan(running.head.fencingToken);
    expect((await bench.append(settlement(bench, running))).kind).toBe('refused');
    expect(await bench.read(running)).toEqual(taken);
  });

  says('a head may change without an event: the revision rises, the version stays', async (bench) => {
    const task = await bench.accept({ options: { delayMs: 1_000 } });
    await bench.clock.advance(1_000);
    const ready = await bench.makeReady(task);
    expect(ready.head).toEqual({ ...task.head, waitUntilMs: undefined, revision: 2 });
    expect(ready.tip).toEqual([]);
  });

  says('every field of a head is kept through a whole life', async (bench) => {
    let task = await bench.accept({ orderingKey: 'ann', options: { lifetimeMs: 86_400_000 } });
    for (const delay of [0, 1_000]) {
      task = await bench.claim(task);
      expect((await bench.read(task)).head).toEqual(task.head);
      task = await bench.fail(task, delay);
      expect(task.head).toMatchObject({ state: 'waiting', retrying: true, lastError: 'no' });
      await bench.clock.advance(1_000);
      task = await bench.makeReady(task);
    }
    task = await bench.snooze(await bench.claim(task));
    expect(task.head).toMatchObject({ state: 'waiting', attempt: 2 });
    task = await bench.die(await bench.makeReady(task));
    expect(task.head).toMatchObject({
      state: 'dead',
      deadReason: 'fatal',
      endedAtMs: bench.now,
      worker: 'w-1',
    });
    const kinds = task.tip.map((event) => event.kind);
    expect(kinds).toEqual([
      'claimed',
      'failed',
      'claimed',
      'failed',
      'claimed',
      'snoozed',
      'claimed',
      'died',
    ]);
  });
};
