import { expect } from 'vitest';
import { limits } from '../../../src/core/limits.ts';
import { type Asked, type Bench, queue, refusal } from '../store-fixture.ts';
import type { Subject } from '../subject.ts';

async function acceptError(bench: Bench, asked: Asked) {
  const [accepted] = await bench.store.accept([bench.acceptance(asked)]);
  if (accepted?.kind !== 'failed') expect.fail(`accepted: ${JSON.stringify(asked)}`);
  return accepted.error;
}

const longest = 'k'.repeat(limits.keyChars);
const dayMs = 86_400_000;

export const limitsKept: Subject = (says) => {
  says('the limits are the same object of numbers on every engine', async (bench) => {
    expect(bench.store.limits).toEqual(limits);
    expect(bench.store.dueShards).toBeGreaterThan(0);
  });

  says('what is just within the limits is accepted', async (bench) => {
    await bench.accept({
      key: longest,
      orderingKey: longest,
      queue: 'q'.repeat(limits.nameChars),
      type: 'A-z.0_9',
      traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`,
      payload: new Uint8Array(limits.payloadBytes),
      options: {
        tags: Array.from({ length: limits.tags }, (_, i) => `${i}`.repeat(limits.tagBytes)),
        delayMs: limits.runAheadMs,
        windowMs: limits.windowMinMs,
        lifetimeMs: limits.lifetimeMaxMs,
        retentionMs: limits.retentionMaxMs,
        deadlineAtMs: Number.MAX_SAFE_INTEGER,
        priority: 'low',
        retry: {
          maxAttempts: limits.maxAttempts,
          baseMs: limits.backoffMaxMs,
          factor: 1_000,
          maxMs: limits.backoffMaxMs,
        },
        parentId: longest,
        whenDead: 'retry',
        attemptTimeoutMs: limits.attemptTimeoutMaxMs,
      },
    });
    await bench.accept({ key: '键'.repeat(limits.keyChars), orderingKey: '\u{1f511}'.repeat(127) });
  });

  says('each field beyond its limit is refused and named', async (bench) => {
    const bad: readonly (readonly [string, Asked])[] = [
      ['key', { key: '' }],
      ['key', { key: `${longest}k` }],
      ['key', { key: 'half \ud83d of a pair' }],
      ['orderingKey', { orderingKey: `${longest}k` }],
      ['tenant', { tenant: '' }],
      ['tenant', { tenant: 'a/b' }],
      ['queue', { queue: 'q'.repeat(limits.nameChars + 1) }],
      ['queue', { queue: 'naïve' }],
      ['type', { type: 'has space' }],
      ['typeVersion', { typeVersion: 0 }],
      ['options.tags', { options: { tags: Array.from({ length: limits.tags + 1 }, (_, i) => `t${i}`) } }],
      ['options.tags', { options: { tags: ['ü'.repeat(limits.tagBytes / 2 + 1)] } }],
      ['options.tags', { options: { tags: [''] } }],
      ['options.runAtMs', { options: { delayMs: limits.runAheadMs + 1 } }],
      ['options.windowMs', { options: { windowMs: limits.windowMinMs - 1 } }],
      ['options.windowMs', { options: { windowMs: limits.windowMaxMs + 1 } }],
      ['options.lifetimeMs', { options: { lifetimeMs: limits.lifetimeMaxMs + 1 } }],
      ['options.retentionMs', { options: { retentionMs: limits.retentionMaxMs + 1 } }],
      ['options.attemptTimeoutMs', { options: { attemptTimeoutMs: limits.attemptTimeoutMaxMs + 1 } }],
      ['options.retry.maxAttempts', { options: { retry: { maxAttempts: limits.maxAttempts + 1 } } }],
      ['options.retry.maxAttempts', { options: { retry: { maxAttempts: 0 } } }],
      ['options.retry.baseMs', { options: { retry: { baseMs: 31 * dayMs } } }],
      ['options.retry.baseMs', { options: { retry: { baseMs: 0.5 } } }],
      ['options.retry.factor', { options: { retry: { factor: 0.9 } } }],
      ['options.retry.factor', { options: { retry: { factor: Number.POSITIVE_INFINITY } } }],
      ['options.retry.factor', { options: { retry: { factor: Number.NaN } } }],
      ['options.retry.maxMs', { options: { retry: { maxMs: 31 * dayMs } } }],
      ['options.retry.maxMs', { options: { retry: { maxMs: 0.5 } } }],
      ['options.deadlineAtMs', { options: { deadlineAtMs: -1 } }],
      ['options.deadlineAtMs', { options: { deadlineAtMs: 1.5 } }],
      ['options.priority', { options: { priority: 'urgent' as never } }],
      ['options.whenDead', { options: { whenDead: 'bury' as never } }],
      ['options.parentId', { options: { parentId: '' } }],
      ['options.parentId', { options: { parentId: `${longest}k` } }],
      ['options.parentId', { options: { parentId: 'half \ud83d of a pair' } }],
      ['traceparent', { traceparent: 'half \ud83d of a pair' }],
      ['traceparent', { traceparent: '0'.repeat(1_000_000) }],
    ];
    for (const [field, asked] of bad) {
      const error = await acceptError(bench, asked);
      expect(error, field).toMatchObject({ code: 'INVALID_ARGUMENT', reason: 'BAD_FIELD' });
      expect(error.violations.map((violation) => violation.field)).toEqual([field]);
      expect(error.help).toBeTruthy();
    }
    expect((await bench.listAll()).items).toEqual([]);
  });

  says('a payload or a result that is too large is refused, alone in its batch', async (bench) => {
    const large = new Uint8Array(limits.payloadBytes + limits.envelopeBytes + 1);
    const error = await acceptError(bench, { payload: large });
    expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', reason: 'TOO_LARGE' });
    const [a, b] = await bench.acceptMany(2);
    if (!a || !b) expect.fail();
    const settle = async (task: typeof a, result: Uint8Array) => {
      const running = await bench.claim(task);
      return bench.transition(running, bench.settleOf(running), { result });
    };
    const outcomes = await bench.store.append([await settle(a, large), await settle(b, new Uint8Array(9))]);
    expect(outcomes[0]).toMatchObject({ kind: 'failed', error: { reason: 'TOO_LARGE' } });
    expect(outcomes[1]?.kind).toBe('done');
    expect((await bench.read(a)).head.state).toBe('running');
  });

  says('an error message or a progress note that is too long is refused', async (bench) => {
    const running = await bench.claim(await bench.accept());
    const failure = {
      ...bench.failureOf(running, 'failed'),
      message: 'ü'.repeat(limits.messageBytes / 2 + 1),
    };
    const long = await bench.append(bench.transition(running, failure));
    expect(long).toMatchObject({ kind: 'failed', error: { code: 'INVALID_ARGUMENT', reason: 'TOO_LARGE' } });
    for (const progress of [
      { fraction: 0.5, note: 'n'.repeat(limits.progressNoteChars + 1) },
      { fraction: 1.5, note: '' },
      { fraction: Number.NaN, note: '' },
    ]) {
      const expect_ = { fencingToken: running.head.fencingToken };
      const beat = { kind: 'renewal', id: running.id, expect: expect_, leaseEndAtMs: 1, progress } as const;
      const outcome = await bench.append(beat);
      expect(outcome).toMatchObject({ kind: 'failed', error: { reason: 'BAD_FIELD' } });
    }
    expect(await bench.read(running)).toEqual(running);
  });

  says('a head that does not count its events is a defect, and is not written', async (bench) => {
    const task = await bench.accept();
    const change = bench.transition(task, bench.claimOf());
    const outcome = await bench.append({ ...change, head: { ...change.head, version: 3 } });
    expect(outcome).toMatchObject({ kind: 'failed', error: { code: 'INTERNAL', reason: 'BUG' } });
    expect(await bench.read(task)).toEqual(task);
  });

  says('a call of a hundred items is fine, one of more is refused whole', async (bench) => {
    const tasks = await bench.acceptMany(limits.batchItems);
    expect(
      await bench.store.read(
        tasks.map((task) => task.id),
        bench.now,
      ),
    ).toHaveLength(100);
    const many = Array.from({ length: limits.batchItems + 1 }, () => bench.acceptance());
    const change = bench.headChange(tasks[0] as (typeof tasks)[0], {});
    const calls = [
      bench.store.accept(many),
      bench.store.append(many.map(() => change)),
      bench.store.read(
        many.map(() => 'x'),
        bench.now,
      ),
    ];
    for (const call of calls) {
      expect(await refusal(call)).toMatchObject({ code: 'INVALID_ARGUMENT', reason: 'TOO_LARGE' });
    }
    expect((await bench.listAll()).items).toHaveLength(limits.batchItems);
  });

  says('a page has from one item to as many as it may', async (bench) => {
    for (const limit of [0, -1, 1.5, Number.NaN, limits.pageItems + 1]) {
      const page = { limit, cursor: undefined, nowMs: bench.now };
      const error = await refusal(bench.store.list({ ...queue }, page));
      expect(error, `${limit}`).toMatchObject({ code: 'INVALID_ARGUMENT', reason: 'BAD_FIELD' });
    }
  });
};
