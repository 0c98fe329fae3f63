import { describe, expect, it } from 'vitest';
import {
  type ApiNode,
  anyone,
  apiNode,
  calledBy,
  item,
  Recorded,
  submitted,
} from '../../../../test/fixtures/api-node.ts';
import { HoldfastError } from '../../../core/errors.ts';
import { limits } from '../../../core/limits.ts';
import type { ReportRequest, ReportResponse, Settlement, WorkResponse } from '../../../core/messages.ts';

const hello: ReportRequest = { kind: 'hello', sessionId: '', workerId: 'i', tenant: '' };
const ok = (lease: Uint8Array): Settlement => ({
  lease,
  outcome: 'succeeded',
  result: undefined,
  message: '',
  errorType: '',
  afterMs: undefined,
});

function report(node: ApiNode, context = calledBy()) {
  const recorded = new Recorded<ReportResponse>();
  return { recorded, worker: node.api.report(recorded, context) };
}

/** A worker that was given these tasks. */
async function working(node: ApiNode, ...keys: string[]) {
  await submitted(node, ...keys.map((key) => item(key)));
  const recorded = new Recorded<WorkResponse>();
  const types = [{ type: 'note', maxVersion: 1 }];
  const work = node.api.work(recorded, calledBy());
  work.message({
    kind: 'hello',
    tenant: '',
    workerName: 'w',
    workerId: 'i',
    queues: ['q'],
    types,
    tasks: keys.length,
    bytes: 1_000_000,
  });
  await node.clock.settle();
  const leases = recorded.of('assignments').flatMap((m) => m.tasks.map((task) => task.lease));
  return { recorded, leases, sessionId: recorded.of('welcome')[0]?.sessionId ?? '' };
}

describe('a Report stream', () => {
  it('settles, answers each item in its place, and returns credits to the session', async () => {
    const node = await apiNode();
    const { recorded: work, leases, sessionId } = await working(node, 'a', 'b');
    await submitted(node, item('c'));
    const { recorded, worker } = report(node);
    worker.message({ ...hello, sessionId });
    const [a, b] = leases as [Uint8Array, Uint8Array];
    worker.message({ kind: 'settlements', batch: 7, items: [ok(a), ok(new Uint8Array()), ok(b)] });
    await node.clock.settle();
    expect(recorded.of('settled')).toMatchObject([
      {
        batch: 7,
        credited: true,
        results: [{ state: 'succeeded' }, { error: { reason: 'BAD_FIELD' } }, { state: 'succeeded' }],
      },
    ]);
    expect(work.of('assignments').flatMap((m) => m.tasks.map((t) => t.key))).toEqual(['a', 'b', 'c']);
  });

  it('says where it did not return credits, since the session is not here', async () => {
    const node = await apiNode();
    const { leases } = await working(node, 'a');
    const { recorded, worker } = report(node);
    worker.message({ ...hello, sessionId: 'elsewhere' });
    worker.message({ kind: 'settlements', batch: 1, items: leases.map(ok) });
    await node.clock.settle();
    expect(recorded.of('settled')).toMatchObject([{ credited: false, results: [{ state: 'succeeded' }] }]);
  });

  it('renews leases, and refuses bad progress alone', async () => {
    const node = await apiNode();
    const { leases } = await working(node, 'a');
    const { recorded, worker } = report(node);
    worker.message(hello);
    const [lease] = leases as [Uint8Array];
    const items = [
      { lease, progress: { fraction: 0.5, note: 'half' } },
      { lease, progress: { fraction: 2, note: '' } },
      { lease: Uint8Array.of(1, 2, 3), progress: undefined },
    ];
    worker.message({ kind: 'heartbeats', batch: 1, items });
    await node.clock.settle();
    expect(recorded.of('heartbeats')).toMatchObject([
      {
        answers: [
          { verdict: 'renewed' },
          { verdict: 'error', error: { violations: [{ field: 'items[1].progress.fraction' }] } },
          { verdict: 'error' },
        ],
      },
    ]);
  });

  it('that does not begin with hello is refused', async () => {
    const node = await apiNode();
    const { recorded, worker } = report(node);
    worker.message({ kind: 'settlements', batch: 1, items: [] });
    expect(recorded.error).toMatchObject({ code: 'FAILED_PRECONDITION', reason: 'BAD_SEQUENCE' });
  });

  it('needs the verb work', async () => {
    const { recorded, worker } = report(await apiNode(), calledBy({ ...anyone, verbs: ['read'] }));
    worker.message(hello);
    expect(recorded.error).toMatchObject({ reason: 'DENIED' });
  });

  it('refuses a batch of none or of more than 100', async () => {
    const node = await apiNode();
    for (const [n, told] of [
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
      expect(recorded.error?.message).toBe(`items: has ${n} items; ${told}`);
    }
  });

  it('answers a batch that the store failed with the error for each item, and goes on', async () => {
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
      items: [{ lease: Uint8Array.of(1), progress: undefined }],
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

  it('is cut when 64 batches wait for their answer and another comes', async () => {
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

  it('answers what is under way before it ends with its worker', async () => {
    const node = await apiNode();
    const { leases } = await working(node, 'a');
    const { recorded, worker } = report(node);
    worker.message(hello);
    worker.message({ kind: 'settlements', batch: 1, items: leases.map(ok) });
    worker.closed(undefined);
    expect(recorded.ended).toBe(false);
    await node.clock.settle();
    expect(recorded.messages.map((m) => m.kind)).toEqual(['settled']);
    expect(recorded).toMatchObject({ ended: true, error: undefined });
  });

  it('keeps a long message as far as 8 KiB go, cut between characters', async () => {
    const node = await apiNode();
    const { leases } = await working(node, 'a');
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
