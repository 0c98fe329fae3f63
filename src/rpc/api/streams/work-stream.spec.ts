import { describe, expect, it } from 'vitest';
import {
  type ApiNode,
  anyone,
  apiNode,
  callContext,
  item,
  RecordingStream,
  specOf,
  submitItems,
} from '../../../../test/fixtures/api-node.ts';
import { decodeLease, encodeLease } from '../../../core/codec/lease.ts';
import { limits, timing } from '../../../core/limits.ts';
import type { Assignment, WorkRequest, WorkResponse } from '../../../core/messages.ts';
import { type Head, shownState } from '../../../core/task/head.ts';
import type { SessionSink } from '../../../service/service.ts';

type Hello = Extract<WorkRequest, { kind: 'hello' }>;
const hello: Hello = {
  kind: 'hello',
  tenant: '',
  workerName: 'w',
  workerId: 'i',
  queues: ['q'],
  types: [{ type: 'note', maxVersion: 1 }],
  tasks: 10,
  bytes: 1_000_000,
  reportsBegun: true,
};

function connect(node: ApiNode, context = callContext()) {
  const recorded = new RecordingStream<WorkResponse>();
  const worker = node.api.work(recorded, context);
  return { recorded, worker };
}

const assignedKeys = (recorded: RecordingStream<WorkResponse>) =>
  recorded.of('assignments').flatMap((m) => m.tasks.map((task) => task.key));

describe('a Work stream', () => {
  it('answers hello with welcome, then assigns as many tasks as there are credits', async () => {
    const node = await apiNode();
    await submitItems(node, item('a'), item('b'), item('c'));
    const { recorded, worker } = connect(node);
    worker.message({ ...hello, tasks: 2 });
    await node.clock.settle();
    expect(recorded.messages[0]).toMatchObject({
      kind: 'welcome',
      node: 'node-1',
      leaseMs: 30_000,
      heartbeatMs: 10_000,
    });
    expect(assignedKeys(recorded)).toEqual(['a', 'b']);
    worker.message({ kind: 'credit', tasks: 1, bytes: 0, types: [] });
    await node.clock.settle();
    expect(assignedKeys(recorded)).toEqual(['a', 'b', 'c']);
  });

  it('is refused if its first message is not hello', async () => {
    const node = await apiNode();
    for (const first of [
      { kind: 'credit', tasks: 1, bytes: 1, types: [] },
      { kind: 'received', seq: 1, begun: [], attempts: [], kept: [] },
      { kind: 'keepAlive' },
    ] as const) {
      const { recorded, worker } = connect(node);
      worker.message(first);
      expect(recorded.error).toMatchObject({
        code: 'FAILED_PRECONDITION',
        reason: 'BAD_SEQUENCE',
        message: `The stream began with '${first.kind}'.`,
      });
    }
    expect(node.api.openStreams).toBe(0);
  });

  it('answers an invalid hello with all its violations', async () => {
    const node = await apiNode();
    const { recorded, worker } = connect(node);
    worker.message({ ...hello, queues: [], workerName: '' });
    expect(recorded.error?.violations.map((v) => v.field)).toEqual(['workerName', 'queues']);
  });

  it('needs permission for the verb work and for its queues', async () => {
    const node = await apiNode();
    const submitter = connect(node, callContext({ ...anyone, verbs: ['submit'] }));
    submitter.worker.message(hello);
    expect(submitter.recorded.error?.message).toBe("'local' may not work (its verbs: submit).");
    const other = connect(node, callContext({ ...anyone, queues: ['mail'] }));
    other.worker.message(hello);
    expect(other.recorded.error?.message).toBe("'local' may not use the queue 'q'.");
  });

  it('resets the credits on a second hello, but refuses a hello of another worker', async () => {
    const node = await apiNode();
    const { recorded, worker } = connect(node);
    worker.message({ ...hello, tasks: 0 });
    worker.message({ ...hello, tasks: 1 });
    await submitItems(node, item('a'), item('b'));
    await node.clock.settle();
    expect(assignedKeys(recorded)).toEqual(['a']);
    expect(recorded.of('welcome')).toHaveLength(1);
    worker.message({ ...hello, workerId: 'another' });
    expect(recorded.error).toMatchObject({ reason: 'BAD_SEQUENCE' });
  });

  it('sends a cancel to the worker that runs the task', async () => {
    const node = await apiNode();
    const [task] = await submitItems(node, item('a'));
    const { recorded, worker } = connect(node);
    worker.message(hello);
    await node.clock.settle();
    await node.service.cancel('default', task?.id ?? '', { actor: 'x', message: '' });
    expect(recorded.of('cancel')).toMatchObject([{ id: task?.id, cause: 'cancelled' }]);
  });

  it('releases the assignments that have not begun 2 s after its end, and keeps the others', async () => {
    const node = await apiNode();
    const [a] = await submitItems(node, item('a'));
    const { recorded, worker } = connect(node);
    worker.message(hello);
    await node.clock.settle();
    worker.message({ kind: 'received', seq: 1, begun: [], attempts: [], kept: [] });
    const [b, c] = await submitItems(node, item('b'), item('c'));
    await node.clock.settle();
    expect(assignedKeys(recorded)).toEqual(['a', 'b', 'c']);
    worker.message({ kind: 'received', seq: 1, begun: [2], attempts: [], kept: [] });
    worker.closed(undefined);
    expect(recorded).toMatchObject({ ended: true, error: undefined });
    const heads = (): Promise<Head[]> =>
      Promise.all(
        [a, b, c].map(
          async (task) => (await node.service.get('default', task?.id ?? '', false)).snapshot.head,
        ),
      );
    await node.clock.advance(1_900);
    expect((await heads()).map(shownState)).toEqual(['reserved', 'running', 'reserved']);
    await node.clock.advance(200);
    expect(await heads()).toMatchObject([
      { state: 'waiting', attempt: 0, releases: 0 },
      { state: 'running', attempt: 1 },
      // The worker has not acknowledged this assignment.
      { state: 'waiting', attempt: 0, releases: 1 },
    ]);
  });

  it('keeps the assignments of a cut worker that comes back within 2 s and names them as begun', async () => {
    const node = await apiNode();
    const [a, b] = await submitItems(node, item('a'), item('b'));
    const first = connect(node);
    first.worker.message(hello);
    await node.clock.settle();
    first.worker.closed(undefined);
    await node.clock.advance(1_000);
    const [taken] = first.recorded.of('assignments').flatMap(({ tasks }) => tasks);
    const again = connect(node);
    again.worker.message({ ...hello, tasks: 0 });
    const { id = '', fencingToken = 0, lease = new Uint8Array() } = taken ?? {};
    const attempts = [{ id, fencingToken, lease }];
    again.worker.message({ kind: 'received', seq: 0, begun: [], attempts, kept: [] });
    const thief = connect(node);
    thief.worker.message({ ...hello, workerId: 'thief', tasks: 0 });
    const other = (await node.service.get('default', b?.id ?? '', false)).snapshot.head;
    const stolen = [{ id: b?.id ?? '', fencingToken: other.fencingToken, lease }];
    thief.worker.message({ kind: 'received', seq: 0, begun: [], attempts: stolen, kept: [] });
    await node.clock.advance(5_000);
    const state = async (id = '') => shownState((await node.service.get('default', id, false)).snapshot.head);
    expect([await state(a?.id), await state(b?.id)]).toEqual(['running', 'ready']);
  });

  it('ignores a report that an attempt of a cut worker began if it has not the lease of that attempt', async () => {
    const node = await apiNode();
    const ids = (await submitItems(node, item('a'), item('b'), item('c'))).map((task) => task?.id ?? '');
    const first = connect(node);
    first.worker.message(hello);
    await node.clock.settle();
    first.worker.message({ kind: 'received', seq: 1, begun: [], attempts: [], kept: [] });
    first.worker.closed(undefined);
    const taken = first.recorded.of('assignments').flatMap(({ tasks }) => tasks);
    const [a, b] = taken;
    if (a === undefined || b === undefined) expect.fail('not assigned');
    const lookalike = connect(node);
    lookalike.worker.message({ ...hello, tasks: 0 });
    const madeUp = encodeLease({ ...decodeLease(a.lease), secret: 'AAAAAAAAAAA' });
    for (const lease of [new Uint8Array(), madeUp, a.lease.slice(0, -1), b.lease])
      lookalike.worker.message({
        kind: 'received',
        seq: 0,
        begun: [],
        attempts: [{ ...a, lease }],
        kept: [],
      });
    lookalike.worker.message({ kind: 'received', seq: 0, begun: [], attempts: [b], kept: [] });
    const states = await Promise.all(
      ids.slice(0, 2).map(async (id) => (await node.service.get('default', id, false)).snapshot.head),
    );
    expect(states.map(shownState)).toEqual(['reserved', 'running']);
  });

  it('ignores a report of an assignment that it never made', async () => {
    const node = await apiNode();
    const { recorded, worker } = connect(node);
    worker.message(hello);
    worker.message({
      kind: 'received',
      seq: 0,
      begun: [7, 0, 2 ** 40],
      attempts: [{ id: 'x', fencingToken: 1, lease: new Uint8Array() }],
      kept: [],
    });
    await node.clock.settle();
    expect(recorded.error).toBeUndefined();
  });

  it('recalls the assignments of a paused queue that have not begun', async () => {
    const node = await apiNode();
    const [, b] = await submitItems(node, item('a'), item('b'));
    const { recorded, worker } = connect(node);
    worker.message(hello);
    await node.clock.settle();
    worker.message({ kind: 'received', seq: 1, begun: [1], attempts: [], kept: [] });
    await node.service.updateQueue({ tenant: 'default', queue: 'q' }, { paused: true }, 'operator');
    await node.clock.settle();
    expect(recorded.of('cancel')).toMatchObject([{ id: b?.id, cause: 'paused' }]);
  });

  it('refuses the acknowledgement of a message that was never sent', async () => {
    const node = await apiNode();
    const { recorded, worker } = connect(node);
    worker.message(hello);
    worker.message({ kind: 'received', seq: 1, begun: [], attempts: [], kept: [] });
    expect(recorded.error).toMatchObject({ reason: 'BAD_SEQUENCE' });
  });

  it('splits a large assignment into messages of at most 1 MiB, and tells the service how far each was received', async () => {
    let sink: SessionSink | undefined;
    const received: (readonly (number | undefined)[])[] = [];
    const node = await apiNode((service) => ({
      ...service,
      openSession(request, to) {
        sink = to;
        return {
          ...service.openSession(request, to),
          id: 's',
          received: (seq, count) => received.push([seq, count]),
          close() {},
        };
      },
    }));
    const { recorded, worker } = connect(node);
    worker.message({ ...hello, tasks: 0 });
    const task = {
      id: 'x',
      lease: new Uint8Array(9),
      spec: specOf(`"${'x'.repeat(250_000)}"`),
      key: '',
      queue: 'q',
    };
    const tasks = Array(8).fill({
      ...task,
      tenant: '',
      traceparent: '',
      parentId: '',
      tags: [],
    }) as Assignment[];
    sink?.assign(1, tasks);
    sink?.assign(2, tasks.slice(0, 1));
    expect(recorded.of('assignments').map((m) => [m.seq, m.tasks.length])).toEqual([
      [1, 4],
      [2, 4],
      [3, 1],
    ]);
    worker.message({ kind: 'received', seq: 1, begun: [], attempts: [], kept: [] });
    expect(received).toEqual([[1, 4]]);
    worker.message({ kind: 'received', seq: 2, begun: [], attempts: [], kept: [] });
    worker.message({ kind: 'received', seq: 3, begun: [], attempts: [], kept: [] });
    expect(received).toEqual([
      [1, 4],
      [1, 8],
      [2, 1],
    ]);
  });

  it('sends welcome before all other messages of the session', async () => {
    const node = await apiNode((service) => ({
      ...service,
      openSession(request, sink) {
        sink.cancel('x', 1, 'timeout');
        return service.openSession(request, sink);
      },
    }));
    const { recorded, worker } = connect(node);
    worker.message(hello);
    expect(recorded.messages.map((m) => m.kind)).toEqual(['welcome', 'cancel']);
  });

  it('assigns nothing to a slow reader, and is cut if the client reads nothing for 20 s', async () => {
    const node = await apiNode();
    const { recorded, worker } = connect(node);
    worker.message(hello);
    recorded.bufferedBytes = limits.streamFillBytes;
    const [task] = await submitItems(node, item('a'));
    await node.clock.settle();
    const { snapshot } = await node.service.get('default', task?.id ?? '', false);
    expect(snapshot.head.state).toBe('waiting');
    expect(recorded.of('assignments')).toEqual([]);
    await node.clock.advance(timing.keepAliveMs - 1);
    expect(recorded.ended).toBe(false);
    await node.clock.advance(timing.keepAliveMs);
    expect(recorded.error).toMatchObject({
      code: 'RESOURCE_EXHAUSTED',
      reason: 'SLOW_READER',
      retryable: true,
    });
    expect((await node.service.workers('default', undefined)).workers).toEqual([]);
  });

  it('assigns waiting tasks at once when its full buffer has been sent', async () => {
    const node = await apiNode();
    const { recorded, worker } = connect(node);
    worker.message(hello);
    await node.clock.settle();
    recorded.bufferedBytes = limits.streamFillBytes;
    await submitItems(node, item('a'));
    await node.clock.settle();
    expect(recorded.of('assignments')).toEqual([]);
    recorded.bufferedBytes = 0;
    recorded.roomFreed?.();
    // The clock is not advanced: the assignment needs no timer.
    await node.clock.settle();
    expect(recorded.of('assignments')).toHaveLength(1);
  });

  it('buffers no more than its fill limit, even with large credits', async () => {
    const node = await apiNode();
    const spec = specOf(JSON.stringify('x'.repeat(200_000)));
    for (let i = 0; i < 40; i++) await submitItems(node, item(`k${i}`, { spec }));
    const { recorded, worker } = connect(node);
    const keep = recorded.send.bind(recorded);
    recorded.send = (message) => {
      if (message.kind === 'assignments') recorded.bufferedBytes += message.tasks.length * spec.length;
      keep(message);
    };
    worker.message({ ...hello, tasks: 100, bytes: 64_000_000 });
    const assignedCount = (): number =>
      recorded.of('assignments').reduce((sum, { tasks }) => sum + tasks.length, 0);
    let most = 0;
    for (let round = 0; round < 40 && assignedCount() < 40; round++) {
      await node.clock.settle();
      most = Math.max(most, recorded.bufferedBytes);
      recorded.bufferedBytes = 0;
      recorded.roomFreed?.();
    }
    expect(assignedCount()).toBe(40);
    expect(most).toBeGreaterThan(spec.length);
    // A single task is always assigned, even if it is larger than the fill limit of the stream's buffer.
    expect(most).toBeLessThanOrEqual(limits.streamFillBytes + limits.payloadBytes);
    expect(recorded.ended).toBe(false);
  });

  it('assigns tasks to a stream at once when another stream of its identity has left room', async () => {
    const node = await apiNode();
    const full = connect(node);
    full.worker.message(hello);
    await node.clock.settle();
    full.recorded.bufferedBytes = limits.unsentBytesPerIdentity;
    full.recorded.roomFreed?.();
    const { recorded, worker } = connect(node);
    worker.message({ ...hello, workerId: 'j' });
    await submitItems(node, item('a'));
    await node.clock.settle();
    expect(assignedKeys(recorded)).toEqual([]);
    full.worker.closed(undefined);
    await node.clock.settle();
    expect(assignedKeys(recorded)).toEqual(['a']);
  });

  it.each(['already wait', 'are submitted later'])(
    'leaves the share of an identity when tasks %s and 60 of its streams read nothing',
    async (when) => {
      const node = await apiNode();
      const spec = specOf(JSON.stringify('x'.repeat(200_000)));
      const submitAll = async (): Promise<void> => {
        for (let i = 0; i < 300; i += 10) {
          const ten = Array.from({ length: 10 }, (_, k) => item(`k${i + k}`, { spec }));
          await submitItems(node, ...ten);
        }
      };
      if (when === 'already wait') await submitAll();
      const streams = Array.from({ length: 60 }, () => connect(node));
      let unsentBytes = 0;
      for (const { recorded } of streams) {
        const keep = recorded.send.bind(recorded);
        recorded.send = (message) => {
          if (message.kind === 'assignments') {
            recorded.bufferedBytes += message.tasks.length * spec.length;
            unsentBytes += message.tasks.length * spec.length;
          }
          keep(message);
        };
      }
      for (const [i, { worker }] of streams.entries())
        worker.message({ ...hello, workerId: `i${i}`, tasks: 100, bytes: 64_000_000 });
      await node.clock.settle();
      if (when === 'are submitted later') await submitAll();
      await node.clock.settle();
      expect(unsentBytes).toBeGreaterThan(limits.unsentBytesPerIdentity - limits.streamFillBytes);
      // The last receive call with room takes at most a whole task more.
      expect(unsentBytes).toBeLessThanOrEqual(limits.unsentBytesPerIdentity + limits.payloadBytes);
    },
  );

  it('sends a keep-alive every 20 s, and is cut if the worker has sent nothing for more than 60 s', async () => {
    const node = await apiNode();
    const { recorded, worker } = connect(node);
    worker.message(hello);
    await node.clock.advance(timing.keepAliveMs);
    expect(recorded.of('keepAlive')).toHaveLength(1);
    await node.clock.advance(2 * timing.keepAliveMs);
    worker.message({ kind: 'keepAlive' });
    await node.clock.advance(3 * timing.keepAliveMs);
    expect(recorded.ended).toBe(false);
    await node.clock.advance(timing.keepAliveMs);
    expect(recorded.error).toMatchObject({ code: 'UNAVAILABLE', reason: 'TIMED_OUT' });
    expect(node.api.openStreams).toBe(0);
  });

  it('sends drain after 240 s ± 10 %, then assigns no more tasks, and ends 30 s later if the worker is still connected', async () => {
    const node = await apiNode();
    const { recorded, worker } = connect(node);
    worker.message(hello);
    const startMs = node.clock.now();
    let drainedAtMs = 0;
    for (let i = 0; i < 30 && !recorded.ended; i++) {
      await node.clock.advance(10_000);
      worker.message({ kind: 'keepAlive' });
      if (drainedAtMs === 0 && recorded.of('drain').length > 0) drainedAtMs = node.clock.now() - startMs;
      if (drainedAtMs > 0 && i % 2 === 0) await submitItems(node, item(`late-${i}`));
    }
    expect(drainedAtMs).toBeGreaterThanOrEqual(216_000);
    expect(drainedAtMs).toBeLessThanOrEqual(270_000);
    expect(recorded).toMatchObject({ ended: true, error: undefined });
    expect(assignedKeys(recorded)).toEqual([]);
    expect(recorded.of('drain')).toHaveLength(1);
  });

  it('ends when its client has disconnected', async () => {
    const node = await apiNode();
    const gone = new AbortController();
    const { recorded, worker } = connect(node, callContext(anyone, { signal: gone.signal }));
    worker.message(hello);
    gone.abort();
    expect(recorded.ended).toBe(true);
    expect((await node.service.workers('default', undefined)).workers).toEqual([]);
  });
});

describe('a node that drains', () => {
  it('sends drain on each stream, and refuses new streams', async () => {
    const node = await apiNode();
    const { recorded, worker } = connect(node);
    worker.message(hello);
    node.api.drain();
    expect(recorded.of('drain')).toHaveLength(1);
    const next = connect(node);
    next.worker.message(hello);
    expect(next.recorded.error).toMatchObject({ code: 'UNAVAILABLE', reason: 'DRAINING' });
  });
});
