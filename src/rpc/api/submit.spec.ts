import { create } from '@bufbuild/protobuf';
import { describe, expect, it, vi } from 'vitest';
import {
  anyone,
  apiNode,
  callContext,
  ensureAccepted,
  item,
  noOptions,
  rejectionOf,
  specOf,
} from '../../../test/fixtures/api-node.ts';
import { decodeSubmitBatch, encodeSubmitBatch } from '../../core/codec/submit.ts';
import type { SubmitFailure } from '../../core/messages.ts';
import { SubmitTaskRequestSchema, TaskService } from '../gen/holdfast/v1/task_service_pb.ts';

const trace = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-03`;

describe('a batch of submissions', () => {
  it('gets an answer for each item at the index of the item, and has its valid items accepted beside invalid ones', async () => {
    const { api, service } = await apiNode();
    const items = [item('a'), item('b', { spec: specOf('{') }), item('a'), item('c'.repeat(256)), item('d')];
    const { results } = await api.submit({ tenant: '', queue: 'q', items }, callContext());
    expect(results.map((r) => r.error?.reason)).toEqual([
      undefined,
      'BAD_JSON',
      undefined,
      'BAD_FIELD',
      undefined,
    ]);
    expect((results[3] as SubmitFailure).error.violations[0]?.field).toBe('items[3].idempotencyKey');
    expect(ensureAccepted(results[2])).toMatchObject({
      id: ensureAccepted(results[0]).id,
      deduplicated: true,
    });
    expect(
      (await service.get('default', ensureAccepted(results[4]).id, false)).snapshot.submission.scope.key,
    ).toBe('d');
  });

  it('has invalid options and names refused each time, also after the same ones with another fault, and beside valid ones', async () => {
    const { api } = await apiNode();
    const sent = [
      item('a', { options: { ...noOptions, priority: 'low' } }),
      item('b'.repeat(256), { options: { ...noOptions, maxLosses: 1 } }),
      item('c', { options: { ...noOptions, maxLosses: 1 } }),
      item('d', { spec: specOf('{}', 'no name') }),
      item('e', { options: { ...noOptions, priority: 'low' } }),
    ];
    const call = { tenant: '', queue: 'q', items: sent };
    for (let times = 0; times < 2; times++) {
      // The codec gives equal options the same object.
      const { results } = await api.submit(decodeSubmitBatch(encodeSubmitBatch(call)), callContext());
      expect(results.map(({ error }) => error?.violations.map(({ field }) => field))).toEqual([
        undefined,
        ['items[1].idempotencyKey', 'items[1].options.maxLosses'],
        ['items[2].options.maxLosses'],
        ['items[3].spec.type'],
        undefined,
      ]);
    }
  });

  it('of 100 items with one invalid item has 99 accepted', async () => {
    const { api } = await apiNode();
    const items = Array.from({ length: 100 }, (_, i) =>
      item(`k${i}`, i === 57 ? { spec: new Uint8Array() } : {}),
    );
    const { results } = await api.submit({ tenant: '', queue: 'q', items }, callContext());
    expect(results.filter((r) => r.error === undefined)).toHaveLength(99);
    expect(results[57]?.error).toMatchObject({ code: 'INVALID_ARGUMENT', reason: 'BAD_FIELD' });
  });

  it('with no items or more than 100 is refused as a whole', async () => {
    const { api } = await apiNode();
    const send = (n: number) =>
      rejectionOf(api.submit({ tenant: '', queue: 'q', items: Array(n).fill(item('k')) }, callContext()));
    expect((await send(0)).message).toBe('items: has 0 items; at least 1');
    expect((await send(101)).message).toBe('items: has 101 items; at most 100');
  });

  it('with an invalid queue or tenant is refused as a whole', async () => {
    const { api } = await apiNode();
    const error = await rejectionOf(
      api.submit({ tenant: 'a b', queue: '', items: [item('k')] }, callContext()),
    );
    expect(error.violations.map((v) => v.field)).toEqual(['tenant', 'queue']);
  });

  it('with only invalid items does not reach the service', async () => {
    const submit = vi.fn();
    const { api } = await apiNode((service) => ({ ...service, submit }));
    const { results } = await api.submit(
      { tenant: '', queue: 'q', items: [item('k', { options: { ...noOptions, windowMs: 1 } })] },
      callContext(),
    );
    expect(results[0]?.error?.reason).toBe('BAD_FIELD');
    expect(submit).not.toHaveBeenCalled();
  });

  it('is not executed after the deadline of the call, nor for a caller that has gone', async () => {
    const { api, clock, service } = await apiNode();
    const batch = { tenant: '', queue: 'q', items: [item('k')] };
    const late = await rejectionOf(
      api.submit(batch, callContext(anyone, { notAfterMs: clock.monotonic() - 1 })),
    );
    expect(late).toMatchObject({ code: 'DEADLINE_EXCEEDED', reason: 'TIMED_OUT' });
    const gone = await rejectionOf(api.submit(batch, callContext(anyone, { signal: AbortSignal.abort() })));
    expect(gone).toMatchObject({ code: 'CANCELLED', reason: 'ABANDONED' });
    const scope = { tenant: 'default', queue: 'q', key: 'k' };
    expect(await rejectionOf(service.getByKey(scope, false))).toMatchObject({ reason: 'TASK_NOT_FOUND' });
  });

  it('needs permission for the verb, the tenant and the queue', async () => {
    const { api } = await apiNode();
    const batch = { tenant: 't1', queue: 'q', items: [item('k')] };
    const as = (more: object) => rejectionOf(api.submit(batch, callContext({ ...anyone, ...more })));
    expect((await as({ verbs: ['read'] })).message).toBe("'local' may not submit (its verbs: read).");
    expect((await as({ tenants: ['t2'] })).reason).toBe('DENIED');
    expect((await as({ queues: ['other'] })).reason).toBe('DENIED');
  });
});

describe('an item of a submission', () => {
  it('without an idempotency key gets a time-ordered key', async () => {
    const { api, service } = await apiNode();
    const { results } = await api.submit(
      { tenant: '', queue: 'q', items: [item(''), item('')] },
      callContext(),
    );
    const keys = await Promise.all(
      results.map(
        async (r) =>
          (await service.get('default', ensureAccepted(r).id, false)).snapshot.submission.scope.key,
      ),
    );
    expect(keys[0]).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7/);
    expect(keys[0]).not.toBe(keys[1]);
  });

  it('keeps its own traceparent, gets the traceparent of the call if it has none, and loses a malformed one', async () => {
    const { api, service } = await apiNode();
    const items = [item('a', { traceparent: trace }), item('b'), item('c', { traceparent: '00-zz' })];
    const traceparent = trace.replace('03', '01');
    const { results } = await api.submit(
      { tenant: '', queue: 'q', items },
      callContext(anyone, { traceparent }),
    );
    const stored = await Promise.all(
      results.map(
        async (r) =>
          (await service.get('default', ensureAccepted(r).id, false)).snapshot.submission.traceparent,
      ),
    );
    expect(stored).toEqual([trace, traceparent, '']);
  });
});

describe('SubmitTask', () => {
  const submit = TaskService.method.submitTask;
  const request = (item: object, queue = 'q') => create(SubmitTaskRequestSchema, { queue, item } as never);
  const spec = { type: 'note', payload: { bytes: new TextEncoder().encode('{"a":1}') } };

  it('returns the same task for a repeated submission', async () => {
    const { api } = await apiNode();
    const submission = request({
      idempotencyKey: 'k',
      spec,
      options: { delayMs: 1_000n, tags: ['eu'], priority: 1 },
    });
    const first = await api.call(submit, submission, callContext());
    const second = await api.call(submit, submission, callContext());
    expect(first).toMatchObject({
      deduplicated: false,
      task: { queue: 'q', idempotencyKey: 'k', state: 1, version: 1 },
    });
    expect(first.task?.options).toMatchObject({ tags: ['eu'], priority: 1, attemptTimeoutMs: 300_000n });
    expect(second).toMatchObject({ deduplicated: true, task: { id: first.task?.id } });
  });

  it('refuses an idempotency key that another request has used, with the id of the existing task', async () => {
    const { api } = await apiNode();
    const first = await api.call(submit, request({ idempotencyKey: 'k', spec }), callContext());
    const other = { ...spec, type: 'other' };
    const error = await rejectionOf(
      api.call(submit, request({ idempotencyKey: 'k', spec: other }), callContext()),
    );
    expect(error).toMatchObject({ code: 'ALREADY_EXISTS', reason: 'KEY_REUSED', taskId: first.task?.id });
  });

  it('names an invalid field by its path in the SubmitTask request, such as item.options.windowMs', async () => {
    const { api } = await apiNode();
    const error = await rejectionOf(
      api.call(submit, request({ spec, options: { windowMs: 5n } }), callContext()),
    );
    expect(error.message).toBe('item.options.windowMs: is 5 ms; a whole number of ms from 1 min to 30 d');
    expect(error.violations[0]?.field).toBe('item.options.windowMs');
    const missing = await rejectionOf(
      api.call(submit, create(SubmitTaskRequestSchema, { queue: 'q' }), callContext()),
    );
    expect(missing.violations.map((v) => v.field)).toEqual(['item.spec.type']);
  });

  it('refuses enum numbers that this version does not know', async () => {
    const { api } = await apiNode();
    const error = await rejectionOf(
      api.call(submit, request({ spec, options: { priority: 9, whenDead: 9 } }), callContext()),
    );
    expect(error.violations.map((v) => v.field)).toEqual(['item.options.priority', 'item.options.whenDead']);
  });

  it('refuses with NOT_BUILT a payload that is only a reference', async () => {
    const { api } = await apiNode();
    const error = await rejectionOf(
      api.call(submit, request({ spec: { type: 't', payload: { reference: 's3://b' } } }), callContext()),
    );
    expect(error).toMatchObject({ code: 'UNIMPLEMENTED', reason: 'NOT_BUILT' });
  });
});
