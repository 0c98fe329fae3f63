import { expect } from 'vitest';
import { Writer } from '../../../src/core/codec/writer.ts';
import { fold } from '../../../src/core/task/evolve.ts';
import type { Subject } from '../subject.ts';

export const histories: Subject = (says) => {
  says('the history is every event from the submission on, and folds to the head', async (bench) => {
    let task = await bench.fail(await bench.claim(await bench.accept({ orderingKey: 'ann' })));
    await bench.clock.advance(1_000);
    task = await bench.succeed(await bench.claim(await bench.makeReady(task)));
    const events = await bench.store.history(task.id, 0);
    expect(events).toEqual([task.submission.submitted, ...task.tip]);
    expect({ ...fold(events), revision: task.head.revision }).toEqual(task.head);
  });

  says('the history goes on from a version', async (bench) => {
    const task = await bench.succeed(await bench.claim(await bench.accept()));
    const kinds = async (from: number) =>
      (await bench.store.history(task.id, from)).map((event) => event.kind);
    expect(await kinds(0)).toEqual(['submitted', 'claimed', 'succeeded']);
    expect(await kinds(1)).toEqual(['claimed', 'succeeded']);
    expect(await kinds(2)).toEqual(['succeeded']);
    expect(await kinds(3)).toEqual([]);
    expect(await kinds(99)).toEqual([]);
  });

  says('what never was has no history and no result', async (bench) => {
    expect(await bench.store.history('nobody', 0)).toEqual([]);
    expect(await bench.store.result('nobody')).toBeUndefined();
  });

  says('a result comes back byte by byte, an empty one too; none is none', async (bench) => {
    const bytes = Uint8Array.from({ length: 3_000 }, (_, i) => i % 256);
    for (const result of [bytes, new Uint8Array(0), undefined]) {
      const task = await bench.claim(await bench.accept());
      expect(await bench.store.result(task.id)).toBeUndefined();
      await bench.succeed(task, result);
      const found = await bench.store.result(task.id);
      expect(found && [...found]).toEqual(result && [...result]);
    }
  });

  says('a refused success leaves no result', async (bench) => {
    const running = await bench.claim(await bench.accept());
    const result = new Uint8Array([1]);
    const change = bench.transition(running, bench.settleOf(running), { expect: { revision: 1 }, result });
    expect((await bench.append(change)).kind).toBe('refused');
    expect(await bench.store.result(running.id)).toBeUndefined();
  });

  says('an event of an unknown kind is kept as it is', async (bench) => {
    const task = await bench.accept();
    const written = new Writer().number(1, 99).number(3, bench.now).string(77, 'of a later version');
    const bytes = Uint8Array.from(written.finish());
    const event = { kind: 'unknown', kindNumber: 99, atMs: bench.now, bytes } as const;
    const change = bench.headChange(task, { version: 2 });
    const after = await bench.done({ ...change, events: [event] });
    expect(after.tip).toEqual([event]);
    expect(await bench.store.history(task.id, 1)).toEqual([event]);
    const claimed = await bench.claim(after);
    expect(claimed.tip).toMatchObject([event, { kind: 'claimed' }]);
  });

  says('a long life is kept to its first event, and goes on from any version', async (bench) => {
    let task = await bench.accept({ options: { retry: { maxAttempts: 1_000 } } });
    for (let i = 0; i < 150; i++) {
      task = await bench.makeReady(await bench.fail(await bench.claim(task), 0));
    }
    task = await bench.succeed(await bench.claim(task));
    const history = await bench.store.history(task.id, 0);
    expect(history.map((event) => event.kind)).toEqual([
      'submitted',
      ...Array.from({ length: 150 }, () => ['claimed', 'failed']).flat(),
      'claimed',
      'succeeded',
    ]);
    expect({ ...fold(history), revision: task.head.revision }).toEqual(task.head);
    for (const from of [1, 111, 112, 113, 200, 240, 241, 299, 302, 303, 304]) {
      expect(await bench.store.history(task.id, from)).toEqual(history.slice(from));
    }
    expect((await bench.read(task)).tip.at(-1)?.kind).toBe('succeeded');
  });
};
