import { expect } from 'vitest';
import { Writer } from '../../../src/core/codec/writer.ts';
import { fold } from '../../../src/core/task/evolve.ts';
import type { Subject } from '../subject.ts';

export const histories: Subject = (requires) => {
  requires(
    'a task’s history contains every event from the submission on, and folds to the task’s head',
    async (fixture) => {
      let task = await fixture.fail(await fixture.claim(await fixture.accept({ orderingKey: 'ann' })));
      await fixture.clock.advance(1_000);
      task = await fixture.succeed(await fixture.claim(await fixture.makeReady(task)));
      const events = await fixture.store.history(task.id, 0);
      expect(events).toEqual([task.submission.submitted, ...task.tip]);
      const { revision, leaseSecret } = task.head;
      expect({ ...fold(events), revision, leaseSecret }).toEqual(task.head);
    },
  );

  requires('a read of a task’s history may start after any version', async (fixture) => {
    const task = await fixture.succeed(await fixture.claim(await fixture.accept()));
    const kinds = async (from: number) =>
      (await fixture.store.history(task.id, from)).map((event) => event.kind);
    expect(await kinds(0)).toEqual(['submitted', 'claimed', 'succeeded']);
    expect(await kinds(1)).toEqual(['claimed', 'succeeded']);
    expect(await kinds(2)).toEqual(['succeeded']);
    expect(await kinds(3)).toEqual([]);
    expect(await kinds(99)).toEqual([]);
  });

  requires('an unknown task has no history and no result', async (fixture) => {
    expect(await fixture.store.history('nobody', 0)).toEqual([]);
    expect(await fixture.store.result('nobody')).toBeUndefined();
  });

  requires(
    'a task’s result is returned with the same bytes, also if it is empty, and a task without a result has none',
    async (fixture) => {
      const bytes = Uint8Array.from({ length: 3_000 }, (_, i) => i % 256);
      for (const result of [bytes, new Uint8Array(0), undefined]) {
        const task = await fixture.claim(await fixture.accept());
        expect(await fixture.store.result(task.id)).toBeUndefined();
        await fixture.succeed(task, result);
        const found = await fixture.store.result(task.id);
        expect(found && [...found]).toEqual(result && [...result]);
      }
    },
  );

  requires('a success that conflicts stores no result', async (fixture) => {
    const running = await fixture.claim(await fixture.accept());
    const result = new Uint8Array([1]);
    const change = fixture.transition(running, fixture.settleCommand(running), {
      expect: { revision: 1 },
      result,
    });
    expect((await fixture.append(change)).kind).toBe('conflict');
    expect(await fixture.store.result(running.id)).toBeUndefined();
  });

  requires('an event of an unknown kind is stored unchanged', async (fixture) => {
    const task = await fixture.accept();
    const written = new Writer().number(1, 99).number(3, fixture.now).string(77, 'of a later version');
    const bytes = Uint8Array.from(written.finish());
    const event = { kind: 'unknown', kindNumber: 99, atMs: fixture.now, bytes } as const;
    const change = fixture.headChange(task, { version: 2 });
    const after = await fixture.apply({ ...change, events: [event] });
    expect(after.tip).toEqual([event]);
    expect(await fixture.store.history(task.id, 1)).toEqual([event]);
    const claimed = await fixture.claim(after);
    expect(claimed.tip).toMatchObject([event, { kind: 'claimed' }]);
  });

  requires(
    'a task’s history of 303 events is complete, and a read of it may start after any version',
    async (fixture) => {
      let task = await fixture.accept({ options: { retry: { maxAttempts: 1_000 } } });
      for (let i = 0; i < 150; i++) {
        task = await fixture.makeReady(await fixture.fail(await fixture.claim(task), 0));
      }
      task = await fixture.succeed(await fixture.claim(task));
      const history = await fixture.store.history(task.id, 0);
      expect(history.map((event) => event.kind)).toEqual([
        'submitted',
        ...Array.from({ length: 150 }, () => ['claimed', 'failed']).flat(),
        'claimed',
        'succeeded',
      ]);
      const { revision, leaseSecret } = task.head;
      expect({ ...fold(history), revision, leaseSecret }).toEqual(task.head);
      for (const from of [1, 111, 112, 113, 200, 240, 241, 299, 302, 303, 304]) {
        expect(await fixture.store.history(task.id, from)).toEqual(history.slice(from));
      }
      expect((await fixture.read(task)).tip.at(-1)?.kind).toBe('succeeded');
    },
  );
};
