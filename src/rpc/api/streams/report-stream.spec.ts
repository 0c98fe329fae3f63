import { describe, expect, it } from 'vitest';
import {
  type ApiNode,
  anyone,
  apiNode,
  callContext,
  item,
  RecordingStream,
  submitItems,
} from '../../../../test/fixtures/api-node.ts';
import { storeError } from '../../../../test/fixtures/store-error.ts';
import { HoldfastError } from '../../../core/errors.ts';
import { limits, timing } from '../../../core/limits.ts';
import type { ReportRequest, ReportResponse, Settlement, WorkResponse } from '../../../core/messages.ts';
import type { Progress } from '../../../core/task/head.ts';

const hello: ReportRequest = { kind: 'hello', sessionId: '', workerId: 'i', tenant: '' };
const ok = (lease: Uint8Array): Settlement => ({
  lease,
  outcome: 'succeeded',
  result: undefined,
  message: '',
  errorType: '',
  afterMs: undefined,
  begun: false,
});

function report(node: ApiNode, context = callContext()) {
  const recorded = new RecordingStream<ReportResponse>();
  return { recorded, worker: node.api.report(recorded, context) };
}

/** Submits one task for each key, opens a Work stream to which the tasks are assigned, and returns their leases. */
async function assignTasks(node: ApiNode, ...keys: string[]) {
  await submitItems(node, ...keys.map((key) => item(key)));
  const recorded = new RecordingStream<WorkResponse>();
  const types = [{ type: 'note', maxVersion: 1 }];
  const work = node.api.work(recorded, callContext());
  work.message({
    kind: 'hello',
    tenant: '',
    workerName: 'w',
    workerId: 'i',
    queues: ['q'],
    types,
    tasks: keys.length,
    bytes: 1_000_000,
    reportsBegun: true,
  });
  await node.clock.settle();
  const leases = recorded.of('assignments').flatMap((m) => m.tasks.map((task) => task.lease));
  return { recorded, leases, sessionId: recorded.of('welcome')[0]?.sessionId ?? '' };
}

describe('a Report stream', () => {
  it('settles each item of a batch, and returns the credits to the session', async () => {
    const node = await apiNode();
    const { recorded: work, leases, sessionId } = await assignTasks(node, 'a', 'b');
    await submitItems(node, item('c'));
    const { recorded, worker } = report(node);
    worker.message({ ...hello, sessionId });
    worker.message({ kind: 'settlements', batch: 7, items: leases.map(ok) });
    await node.clock.settle();
    expect(recorded.of('settled')).toMatchObject([
      { batch: 7, credited: true, results: [{ state: 'succeeded' }, { state: 'succeeded' }] },
    ]);
    expect(work.of('assignments').flatMap((m) => m.tasks.map((t) => t.key))).toEqual(['a', 'b', 'c']);
  });

  it('answers at the item’s index, and returns no credit of a batch of which it refuses an item', async () => {
    const node = await apiNode();
    const { recorded: work, leases, sessionId } = await assignTasks(node, 'a', 'b');
    await submitItems(node, item('c'));
    const { recorded, worker } = report(node);
    worker.message({ ...hello, sessionId });
    const [a, b] = leases as [Uint8Array, Uint8Array];
    worker.message({ kind: 'settlements', batch: 7, items: [ok(a), ok(new Uint8Array()), ok(b)] });
    await node.clock.settle();
    expect(recorded.of('settled')).toMatchObject([
      {
        batch: 7,
        credited: false,
        results: [{ state: 'succeeded' }, { error: { reason: 'BAD_FIELD' } }, { state: 'succeeded' }],
      },
    ]);
    expect(work.of('assignments').flatMap((m) => m.tasks.map((t) => t.key))).toEqual(['a', 'b']);
  });

  it('reports that no credits were returned if the worker’s session is on another node', async () => {
    const node = await apiNode();
    const { leases } = await assignTasks(node, 'a');
    const { recorded, worker } = report(node);
    worker.message({ ...hello, sessionId: 'elsewhere' });
    worker.message({ kind: 'settlements', batch: 1, items: leases.map(ok) });
    await node.clock.settle();
    expect(recorded.of('settled')).toMatchObject([{ credited: false, results: [{ state: 'succeeded' }] }]);
  });

  it('reports that no credits were returned if the tasks could not be read', async () => {
    const node = await apiNode((service) => ({ ...service, settle: () => Promise.reject(storeError()) }));
    const { leases, sessionId } = await assignTasks(node, 'a');
    const { recorded, worker } = report(node);
    worker.message({ ...hello, sessionId });
    worker.message({ kind: 'settlements', batch: 1, items: leases.map(ok) });
    await node.clock.settle();
    expect(recorded.of('settled')).toMatchObject([
      { credited: false, results: [{ error: { reason: 'STORE_FAILED' } }] },
    ]);
  });

  it('renews leases, and refuses only the heartbeats with an invalid lease', async () => {
    const node = await apiNode();
    const { leases } = await assignTasks(node, 'a');
    const { recorded, worker } = report(node);
    worker.message(hello);
    const [lease] = leases as [Uint8Array];
    const items = [
      { lease, begun: true, progress: { fraction: 0.5, note: 'half' } },
      { lease: new Uint8Array(), begun: true, progress: undefined },
      { lease: Uint8Array.of(1, 2, 3), begun: true, progress: undefined },
    ];
    worker.message({ kind: 'heartbeats', batch: 1, items });
    await node.clock.settle();
    expect(recorded.of('heartbeats')).toMatchObject([
      {
        answers: [
          { verdict: 'renewed' },
          { verdict: 'error', error: { violations: [{ field: 'items[1].lease' }] } },
          { verdict: 'error' },
        ],
      },
    ]);
  });

  it.each<[string, Progress, Progress | undefined]>([
    ['above 1', { fraction: 2, note: 'n' }, { fraction: 1, note: 'n' }],
    ['of minus infinity', { fraction: Number.NEGATIVE_INFINITY, note: '' }, { fraction: 0, note: '' }],
    ['that is NaN', { fraction: Number.NaN, note: 'n' }, undefined],
    ['with a long note', { fraction: 0.5, note: 'n'.repeat(300) }, { fraction: 0.5, note: 'n'.repeat(256) }],
  ])('renews a lease whose heartbeat has a progress %s', async (_what, progress, kept) => {
    const node = await apiNode();
    const { leases } = await assignTasks(node, 'a');
    const { recorded, worker } = report(node);
    worker.message(hello);
    await node.clock.advance(10_000);
    const [lease] = leases as [Uint8Array];
    worker.message({ kind: 'heartbeats', batch: 1, items: [{ lease, begun: true, progress }] });
    await node.clock.settle();
    expect(recorded.of('heartbeats')).toMatchObject([{ answers: [{ verdict: 'renewed' }] }]);
    const { items } = await node.service.list(
      { tenant: 'default', queue: 'q' },
      { limit: 1, cursor: undefined },
    );
    expect(items[0]?.head.progress).toEqual(kept);
    expect(items[0]?.head.leaseEndAtMs).toBe(node.clock.now() + timing.leaseMs);
  });

  it('takes outcomes while the node drains, answers what it received before the end, and leaves later ones to the next node', async () => {
    const node = await apiNode();
    const { leases } = await assignTasks(node, 'a', 'b', 'c');
    const [a, b, c] = leases as [Uint8Array, Uint8Array, Uint8Array];
    const { recorded, worker } = report(node);
    worker.message(hello);
    worker.message({ kind: 'settlements', batch: 1, items: [ok(a)] });
    node.api.drain();
    worker.message({ kind: 'settlements', batch: 2, items: [ok(b)] });
    const finished = node.api.finish();
    worker.message({ kind: 'settlements', batch: 3, items: [ok(c)] });
    await finished;
    await node.clock.settle();
    expect(recorded.of('drain')).toHaveLength(1);
    expect(recorded.of('settled').map(({ batch }) => batch)).toEqual([1, 2]);
    expect(recorded).toMatchObject({ ended: true, error: undefined });
  });

  it('is refused if its first message is not hello', async () => {
    const node = await apiNode();
    const { recorded, worker } = report(node);
    worker.message({ kind: 'settlements', batch: 1, items: [] });
    expect(recorded.error).toMatchObject({ code: 'FAILED_PRECONDITION', reason: 'BAD_SEQUENCE' });
  });

  it('needs permission for the verb work', async () => {
    const { recorded, worker } = report(await apiNode(), callContext({ ...anyone, verbs: ['read'] }));
    worker.message(hello);
    expect(recorded.error).toMatchObject({ reason: 'DENIED' });
  });

  it('refuses a batch with no items or more than 100', async () => {
    const node = await apiNode();
    for (const [n, limit] of [
      [0, 'at least 1'],
      [101, 'at most 100'],
    ] as const) {
      const { recorded, worker } = report(node);
      worker.message(hello);
      worker.message({
        kind: 'heartbeats',
        batch: 1,
        items: Array(n).fill({ lease: new Uint8Array(1), progress: undefined }),
      });
      expect(recorded.error?.message).toBe(`items: has ${n} items; ${limit}`);
    }
  });

  it('answers each item with the store’s error when the store fails, and stays open', async () => {
    const failed = new HoldfastError('UNAVAILABLE', 'STORE_FAILED', 'The disk is gone.');
    const node = await apiNode((service) => ({
      ...service,
      settle: () => Promise.reject(failed),
      heartbeat: () => Promise.reject(failed),
    }));
    const { recorded, worker } = report(node);
    worker.message(hello);
    worker.message({ kind: 'settlements', batch: 1, items: [ok(Uint8Array.of(1)), ok(Uint8Array.of(2))] });
    worker.message({
      kind: 'heartbeats',
      batch: 2,
      items: [{ lease: Uint8Array.of(1), begun: true, progress: undefined }],
    });
    await node.clock.settle();
    expect(recorded.of('settled')[0]?.results.map((r) => r.error?.reason)).toEqual([
      'STORE_FAILED',
      'STORE_FAILED',
    ]);
    expect(recorded.of('heartbeats')[0]?.answers).toMatchObject([
      { verdict: 'error', error: { reason: 'STORE_FAILED' } },
    ]);
    expect(recorded.ended).toBe(false);
  });

  it('is cut when a 65th batch arrives while 64 wait for their answers', async () => {
    const node = await apiNode((service) => ({ ...service, settle: () => new Promise<never>(() => {}) }));
    const { recorded, worker } = report(node);
    worker.message(hello);
    const settle = (batch: number) =>
      worker.message({ kind: 'settlements', batch, items: [ok(Uint8Array.of(1))] });
    for (let batch = 1; batch <= limits.reportBatches; batch++) settle(batch);
    expect(recorded.ended).toBe(false);
    settle(65);
    expect(recorded.error).toMatchObject({
      code: 'RESOURCE_EXHAUSTED',
      reason: 'STORE_BUSY',
      retryAfterMs: 1_000,
    });
  });

  it('is cut when the unanswered reports of its identity exceed their share, which answers free', async () => {
    const node = await apiNode();
    // A settlement counts 256 bytes beside the bytes of its message.
    const bytes = limits.wireMessageBytes - 256;
    const settlements = (batch: number): ReportRequest => ({
      kind: 'settlements',
      batch,
      items: [{ ...ok(Uint8Array.of(1)), lease: new Uint8Array() }],
    });
    const fill = (count: number) => {
      const streams = [report(node), report(node)] as const;
      for (const { worker } of streams) worker.message(hello);
      for (let i = 0; i < count; i++) streams[i % 2]?.worker.message(settlements(i + 1), bytes);
      return streams;
    };
    const most = limits.reportBytesPerIdentity / limits.wireMessageBytes;
    const [one, two] = fill(most);
    expect([one.recorded.ended, two.recorded.ended]).toEqual([false, false]);
    one.worker.message(settlements(most + 1), bytes);
    expect(one.recorded.error).toMatchObject({ code: 'RESOURCE_EXHAUSTED', reason: 'LIMIT_REACHED' });
    expect(two.recorded.ended).toBe(false);
    await node.clock.settle();
    const [next] = fill(most);
    expect(next.recorded.ended).toBe(false);
  });

  it('sends pending answers before it ends when the worker has closed its side', async () => {
    const node = await apiNode();
    const { leases } = await assignTasks(node, 'a');
    const { recorded, worker } = report(node);
    worker.message(hello);
    worker.message({ kind: 'settlements', batch: 1, items: leases.map(ok) });
    worker.closed(undefined);
    expect(recorded.ended).toBe(false);
    await node.clock.settle();
    expect(recorded.messages.map((m) => m.kind)).toEqual(['settled']);
    expect(recorded).toMatchObject({ ended: true, error: undefined });
  });

  it('shortens the long error message of a failed task to 8 KiB, cut between characters', async () => {
    const node = await apiNode();
    const { leases } = await assignTasks(node, 'a');
    const { worker } = report(node);
    worker.message(hello);
    const [lease] = leases as [Uint8Array];
    const message = `x${'字'.repeat(4_000)}`;
    worker.message({
      kind: 'settlements',
      batch: 1,
      items: [{ ...ok(lease), outcome: 'fatal', message, errorType: 'E'.repeat(300) }],
    });
    await node.clock.settle();
    const { items } = await node.service.list(
      { tenant: 'default', queue: 'q' },
      { limit: 1, cursor: undefined },
    );
    const kept = items[0]?.head.lastError ?? '';
    expect(Buffer.byteLength(kept)).toBe(8_191);
    expect(message.startsWith(kept)).toBe(true);
  });
});
