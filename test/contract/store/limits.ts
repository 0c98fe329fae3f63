import { expect } from 'vitest';
import { limits } from '../../../src/core/limits.ts';
import { errorOf, queue, type StoreFixture, type SubmissionRequest } from '../store-fixture.ts';
import type { Subject } from '../subject.ts';

async function acceptError(fixture: StoreFixture, request: SubmissionRequest) {
  const [accepted] = await fixture.store.accept([fixture.acceptance(request)]);
  if (accepted?.kind !== 'failed') expect.fail(`accepted: ${JSON.stringify(request)}`);
  return accepted.error;
}

const longest = 'k'.repeat(limits.keyChars);
const dayMs = 86_400_000;

export const limitChecks: Subject = (requires) => {
  requires(
    'the limits that a store enforces on fields and calls are the same on every engine',
    async (fixture) => {
      expect(fixture.store.limits).toEqual(limits);
      expect(fixture.store.dueShards).toBeGreaterThan(0);
    },
  );

  requires('submissions with fields at their limits are accepted', async (fixture) => {
    await fixture.accept({
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
        whenDead: 'redrive',
        maxLosses: limits.maxLosses,
        attemptTimeoutMs: limits.attemptTimeoutMaxMs,
      },
    });
    await fixture.accept({ key: '键'.repeat(limits.keyChars), orderingKey: '\u{1f511}'.repeat(127) });
  });

  requires('a field beyond its limit is refused, and the error names the field', async (fixture) => {
    const bad: readonly (readonly [string, SubmissionRequest])[] = [
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
      ['options.tags[0]', { options: { tags: ['ü'.repeat(limits.tagBytes / 2 + 1)] } }],
      ['options.tags[0]', { options: { tags: [''] } }],
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
      ['options.maxLosses', { options: { maxLosses: limits.lossesBeforeAlone } }],
      ['options.maxLosses', { options: { maxLosses: limits.maxLosses + 1 } }],
      ['options.parentId', { options: { parentId: '' } }],
      ['options.parentId', { options: { parentId: `${longest}k` } }],
      ['options.parentId', { options: { parentId: 'half \ud83d of a pair' } }],
      ['traceparent', { traceparent: 'half \ud83d of a pair' }],
      ['traceparent', { traceparent: '0'.repeat(1_000_000) }],
    ];
    for (const [field, request] of bad) {
      const error = await acceptError(fixture, request);
      expect(error, field).toMatchObject({ code: 'INVALID_ARGUMENT', reason: 'BAD_FIELD' });
      expect(error.violations.map((violation) => violation.field)).toEqual([field]);
      expect(error.help).toBeTruthy();
    }
    expect((await fixture.listAll()).items).toEqual([]);
  });

  requires(
    'a payload or a result that is too large is refused, and the other items of its batch are written',
    async (fixture) => {
      const large = new Uint8Array(limits.payloadBytes + limits.envelopeBytes + 1);
      const error = await acceptError(fixture, { payload: large });
      expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', reason: 'TOO_LARGE' });
      const [a, b] = await fixture.acceptMany(2);
      if (!a || !b) expect.fail();
      const settle = async (task: typeof a, result: Uint8Array) => {
        const running = await fixture.claim(task);
        return fixture.transition(running, fixture.settleCommand(running), { result });
      };
      const outcomes = await fixture.store.append([
        await settle(a, large),
        await settle(b, new Uint8Array(9)),
      ]);
      expect(outcomes[0]).toMatchObject({ kind: 'failed', error: { reason: 'TOO_LARGE' } });
      expect(outcomes[1]?.kind).toBe('done');
      expect((await fixture.read(a)).head.state).toBe('running');
    },
  );

  requires('an error message or a progress note that is too long is refused', async (fixture) => {
    const running = await fixture.claim(await fixture.accept());
    const failure = {
      ...fixture.failCommand(running, 'failed'),
      message: 'ü'.repeat(limits.messageBytes / 2 + 1),
    };
    const long = await fixture.append(fixture.transition(running, failure));
    expect(long).toMatchObject({ kind: 'failed', error: { code: 'INVALID_ARGUMENT', reason: 'TOO_LARGE' } });
    for (const progress of [
      { fraction: 0.5, note: 'n'.repeat(limits.progressNoteChars + 1) },
      { fraction: 1.5, note: '' },
      { fraction: Number.NaN, note: '' },
    ]) {
      const condition = { fencingToken: running.head.fencingToken };
      const heartbeat = {
        kind: 'renewal',
        id: running.id,
        expect: condition,
        leaseEndAtMs: 1,
        begun: false,
        progress,
      } as const;
      const outcome = await fixture.append(heartbeat);
      expect(outcome).toMatchObject({ kind: 'failed', error: { reason: 'BAD_FIELD' } });
    }
    expect(await fixture.read(running)).toEqual(running);
  });

  requires(
    'a change whose head has a version that does not match the change’s events is refused as a bug',
    async (fixture) => {
      const task = await fixture.accept();
      const change = fixture.transition(task, fixture.claimCommand());
      const outcome = await fixture.append({ ...change, head: { ...change.head, version: 3 } });
      expect(outcome).toMatchObject({ kind: 'failed', error: { code: 'INTERNAL', reason: 'BUG' } });
      expect(await fixture.read(task)).toEqual(task);
    },
  );

  requires(
    'a call of the store with a hundred items is accepted, and a call with more is refused as a whole',
    async (fixture) => {
      const tasks = await fixture.acceptMany(limits.batchItems);
      expect(
        await fixture.store.read(
          tasks.map((task) => task.id),
          fixture.now,
        ),
      ).toHaveLength(100);
      const many = Array.from({ length: limits.batchItems + 1 }, () => fixture.acceptance());
      const change = fixture.headChange(tasks[0] as (typeof tasks)[0], {});
      const calls = [
        fixture.store.accept(many),
        fixture.store.append(many.map(() => change)),
        fixture.store.read(
          many.map(() => 'x'),
          fixture.now,
        ),
      ];
      for (const call of calls) {
        expect(await errorOf(call)).toMatchObject({ code: 'INVALID_ARGUMENT', reason: 'TOO_LARGE' });
      }
      expect((await fixture.listAll()).items).toHaveLength(limits.batchItems);
    },
  );

  requires('a list’s page size below one item or above the limit is refused', async (fixture) => {
    for (const limit of [0, -1, 1.5, Number.NaN, limits.pageItems + 1]) {
      const page = { limit, cursor: undefined, nowMs: fixture.now };
      const error = await errorOf(fixture.store.list({ ...queue }, page));
      expect(error, `${limit}`).toMatchObject({ code: 'INVALID_ARGUMENT', reason: 'BAD_FIELD' });
    }
  });
};
