import { expect, it } from 'vitest';
import { item } from '../../../test/fixtures/api-node.ts';
import { decodeLease, encodeLease } from '../../core/codec/lease.ts';
import type { Assignment, Settlement, SettleResult } from '../../core/messages.ts';
import type { Lease } from '../../core/task/lease.ts';
import { memory } from '../../engines/memory/index.ts';
import { silentLog } from '../../ports/log.ts';
import { virtualClock } from '../../testing/virtual-clock.ts';
import { transition } from '../commit.ts';
import { createService } from '../create-service.ts';

const from = { tenant: 'default', sessionId: undefined };
const refused = {
  code: 'INVALID_ARGUMENT',
  reason: 'BAD_FIELD',
  help: 'Send the lease back exactly as the assignment had it.',
};
const anotherSecret = 'AAAAAAAAAAA';

/**
 * Claims one task on a node. `holder` is that node, which keeps the lease in memory; `other` is a node on the same store that
 * reads the task.
 */
async function claimedTask() {
  const clock = virtualClock();
  const engine = memory({ clock });
  const open = (node: string) =>
    createService({ ...engine.connect(node), node, clock, log: silentLog, createQueues: true });
  const holder = await open('holder');
  const other = await open('other');
  await holder.service.submit({ tenant: 'default', queue: 'q' }, [item('a')], { notAfterMs: undefined });
  const request = {
    tenant: 'default',
    workerName: 'w',
    workerId: 'i',
    queues: ['q'],
    maxTasks: 1,
    waitMs: 0,
  };
  const types = [{ type: 'note', maxVersion: 1 }];
  const { signal } = new AbortController();
  const claim = async (): Promise<Assignment> => {
    const [task] = await holder.service.claim({ ...request, types, requestId: '', signal });
    return task ?? expect.fail('nothing was claimed');
  };
  const task = await claim();
  const head = async () => {
    const [snapshot] = await holder.context.store.read([task.id], clock.now());
    return snapshot?.head ?? expect.fail('no task');
  };
  return { clock, holder, other, task, claim, head, lease: decodeLease(task.lease) };
}

type Node = Awaited<ReturnType<typeof claimedTask>>['holder'];

function settlement(lease: Uint8Array, more: Partial<Settlement> = {}): Settlement {
  const nothing = { result: undefined, message: '', errorType: '', afterMs: undefined, begun: true };
  return { lease, outcome: 'succeeded', ...nothing, ...more };
}

async function settle(
  { service }: Node,
  lease: Uint8Array,
  more?: Partial<Settlement>,
): Promise<SettleResult> {
  const { results } = await service.settle([settlement(lease, more)], from);
  return results[0] ?? expect.fail('no result');
}

/** The lease with other contents, each with a right checksum, as somebody makes it up who knows the format. */
function madeUp(lease: Lease): Uint8Array[] {
  return [anotherSecret, '', lease.secret.toLowerCase()].map((secret) => encodeLease({ ...lease, secret }));
}

it('a made-up lease settles nothing, at the node that gave out the real one and at others', async () => {
  const { holder, other, task, lease, head } = await claimedTask();
  for (const node of [holder, other]) {
    for (const bytes of madeUp(lease)) {
      for (const outcome of [
        'succeeded',
        'failed',
        'fatal',
        'released',
        'snoozed',
        'cancelled',
        'lost',
      ] as const)
        expect(await settle(node, bytes, { outcome })).toMatchObject({
          error: { ...refused, taskId: task.id },
        });
    }
  }
  expect(await head()).toMatchObject({ state: 'running', version: 2, revision: 2 });
  expect(holder.context.heldLeases.get(task.id, task.fencingToken)).toBeDefined();
  expect(await settle(other, task.lease)).toEqual({ state: 'succeeded', error: undefined });
});

it('a lease with any changed or missing byte settles nothing', async () => {
  const { holder, task, head } = await claimedTask();
  for (let at = 0; at < task.lease.length; at++) {
    const changed = task.lease.slice();
    changed[at] = (changed[at] as number) ^ 1;
    for (const bytes of [changed, task.lease.slice(0, at), task.lease.slice(at + 1)])
      expect(await settle(holder, bytes)).toMatchObject({ error: refused });
  }
  expect(await head()).toMatchObject({ state: 'running', revision: 2 });
});

it('a heartbeat with a made-up lease is refused: it renews nothing and is no report of the worker', async () => {
  const { clock, holder, other, task, lease, head } = await claimedTask();
  await clock.advance(10_000);
  const before = await head();
  for (const node of [holder, other]) {
    for (const bytes of madeUp(lease)) {
      const beat = { lease: bytes, begun: true, progress: { fraction: 1, note: 'no' } };
      const [answer] = await node.service.heartbeat([beat], from);
      expect(answer).toMatchObject({ verdict: 'error', error: refused });
    }
  }
  expect(await head()).toEqual(before);
  expect(holder.context.heldLeases.get(task.id, task.fencingToken)?.lastReportAtMs).toBeUndefined();
  const [own] = await other.service.heartbeat(
    [{ lease: task.lease, begun: true, progress: undefined }],
    from,
  );
  expect(own?.verdict).toBe('renewed');
});

it('a repeated settlement gets its recorded result only with the lease of the claim', async () => {
  const { holder, other, task, lease } = await claimedTask();
  await settle(holder, task.lease);
  expect(await settle(other, task.lease)).toEqual({ state: 'succeeded', error: undefined });
  for (const bytes of madeUp(lease)) expect(await settle(other, bytes)).toMatchObject({ error: refused });
});

it('a lease of an earlier claim changes nothing after the next claim, whatever its secret', async () => {
  const { holder, task, claim, lease } = await claimedTask();
  await settle(holder, task.lease, { outcome: 'released' });
  const next = await claim();
  expect(decodeLease(next.lease).secret).not.toBe(lease.secret);
  for (const bytes of [task.lease, ...madeUp(lease)])
    expect(await settle(holder, bytes)).toMatchObject({ error: { reason: 'OUTCOME_RECORDED' } });
  // A secret of one claim proves nothing for another.
  const mixed = encodeLease({ ...decodeLease(next.lease), secret: lease.secret });
  expect(await settle(holder, mixed)).toMatchObject({ error: refused });
  expect(await settle(holder, next.lease)).toEqual({ state: 'succeeded', error: undefined });
});

it('the lease of a head that an older version has written is accepted with and without a secret', async () => {
  for (const secret of ['', anotherSecret]) {
    const { clock, holder, other, task, lease } = await claimedTask();
    const [snapshot] = await holder.context.store.read([task.id], clock.now());
    if (snapshot === undefined) expect.fail('no task');
    const older = transition(snapshot, [], { ...snapshot.head, leaseSecret: '' });
    await holder.context.store.append([older]);
    const bytes = encodeLease({ ...lease, secret });
    const [answer] = await other.service.heartbeat(
      [{ lease: bytes, begun: true, progress: undefined }],
      from,
    );
    expect(answer?.verdict).toBe('renewed');
    expect(await settle(other, bytes)).toEqual({ state: 'succeeded', error: undefined });
  }
});
