/** Attacks that hold calls, streams and their messages open. */
import { setTimeout as sleep } from 'node:timers/promises';
import { limits } from '../../../src/core/limits.ts';
import { TaskView } from '../../../src/rpc/gen/holdfast/v1/task_pb.ts';
import {
  GetTaskRequestSchema,
  WatchTasksRequestSchema,
} from '../../../src/rpc/gen/holdfast/v1/task_service_pb.ts';
import { ClaimTasksRequestSchema } from '../../../src/rpc/gen/holdfast/v1/worker_service_pb.ts';
import { frame, type RawSession } from '../../fixtures/raw-grpc.ts';
import type { Attack } from './attack.ts';
import { hold } from './connection-attacks.ts';
import { Http2Wire, type WireOptions } from './http2-wire.ts';
import { messageOf, mostQueues, mostTypes, paths, stockQueue, stockType, workHello } from './messages.ts';
import type { Target } from './target.ts';

/** The connections that most of these attacks use, and the calls on each. */
const connections = 8;
const callsEach = 1_000;

/** Opens a connection again and again, and has `use` make calls on it until it closes. */
async function onWires(
  target: Target,
  count: number,
  options: WireOptions,
  use: (wire: Http2Wire) => Promise<void>,
): Promise<void> {
  await target.atOnce(count, async () => {
    const wire = await Http2Wire.open(target, options);
    if (wire === undefined) return void (await sleep(100));
    await use(wire);
    while (wire.isOpen && !target.isOver) await sleep(50);
  });
}

/** Holds calls open on a connection, and begins others for those that the server ends. `begin` returns its stream. */
async function keepCalls(target: Target, wire: Http2Wire, most: number, begin: () => number): Promise<void> {
  const open = new Map<number, () => void>();
  wire.onEnded = (stream) => {
    open.get(stream)?.();
    open.delete(stream);
  };
  wire.onClose(() => {
    for (const gone of open.values()) gone();
  });
  while (wire.isOpen && !target.isOver) {
    for (let i = 0; i < 50 && open.size < most; i++) open.set(begin(), target.tally.hold());
    await wire.drained();
    await sleep(5);
  }
}

/** Holds calls open on a connection through Node's HTTP/2, which keeps to the windows of the server. */
async function keepRawCalls(
  target: Target,
  path: string,
  message: () => Buffer,
  ends: boolean,
): Promise<void> {
  const one = async (): Promise<void> => {
    let raw: RawSession = await target.session();
    // Further calls would wait in this client, and count as held although the server does not know them.
    await target.atOnce(limits.callsPerConnection, async () => {
      if (raw.session.destroyed) raw = await target.session();
      const { stream, status } = raw.call(path);
      const gone = target.tally.hold();
      if (ends) stream.end(message());
      else stream.write(message());
      await status;
      gone();
      await sleep(100);
    });
  };
  await Promise.all(Array.from({ length: connections }, one));
}

/** Makes calls over HTTP/1.1 and does not read the answers. */
async function unreadHttp(target: Target): Promise<void> {
  await target.atOnce(300, async (index) => {
    const socket = await target.tls('http');
    if (socket === undefined) return void (await sleep(100));
    socket.pause();
    hold(target, { onClose: (run) => void socket.once('close', run) });
    const body = JSON.stringify({
      id: target.taskIds[index % target.taskIds.length],
      view: 'TASK_VIEW_FULL',
    });
    const head = `POST ${paths.getTask} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n`;
    for (let i = 0; i < 8; i++) socket.write(`${head}content-length: ${body.length}\r\n\r\n${body}`);
    while (socket.writable && !target.isOver) await sleep(100);
  });
}

export const heldAttacks: readonly Attack[] = [
  {
    name: 'streams',
    counts: 'streams',
    asStranger: { measure: 'sent', atLeast: 16 },
    asIdentity: { verb: 'work', measure: 'sent', atLeast: 200 },
    async run(target) {
      const kinds = [paths.work, paths.report, paths.healthWatch];
      await onWires(target, connections, {}, async (wire) => {
        let next = 0;
        await keepCalls(target, wire, callsEach, () => {
          const path = kinds[next++ % kinds.length] as string;
          const stream = wire.call(path);
          if (path === paths.healthWatch) wire.send(stream, frame(Buffer.alloc(0)), true);
          return stream;
        });
      });
    },
  },
  {
    name: 'unfinished-messages',
    counts: 'messages',
    asStranger: { measure: 'sent', atLeast: 200 },
    asIdentity: { verb: 'submit', measure: 'held', atLeast: 8 },
    run: (target) =>
      keepRawCalls(
        target,
        paths.submitTask,
        () => frame(Buffer.alloc(1_000_000), limits.wireMessageBytes),
        false,
      ),
  },
  {
    name: 'watches',
    counts: 'streams',
    asStranger: undefined,
    asIdentity: { verb: 'read', measure: 'held', atLeast: 64 },
    stock: '300SmallTasks',
    run(target) {
      const tasks = target.taskIds.slice(0, limits.watchedTasks).map((id) => ({ id }));
      const message = messageOf(WatchTasksRequestSchema, { tasks });
      return keepRawCalls(target, paths.watchTasks, () => message, true);
    },
  },
  {
    name: 'waiting-claims',
    counts: 'calls',
    asStranger: undefined,
    asIdentity: { verb: 'work', measure: 'held', atLeast: 256 },
    run(target) {
      const request = { queues: [...mostQueues], types: mostTypes, maxTasks: 100, workerName: 'hog' };
      const message = messageOf(ClaimTasksRequestSchema, {
        ...request,
        workerId: crypto.randomUUID(),
        waitMs: BigInt(limits.claimWaitMs),
      });
      return keepRawCalls(target, paths.claimTasks, () => message, true);
    },
  },
  {
    name: 'work-streams',
    counts: 'streams',
    asStranger: undefined,
    asIdentity: { verb: 'work', measure: 'held', atLeast: 256 },
    run: (target) => keepRawCalls(target, paths.work, () => workHello(), false),
  },
  {
    name: 'unread-answers',
    counts: 'calls',
    asStranger: { measure: 'sent', atLeast: 16 },
    asIdentity: { verb: 'read', measure: 'held', atLeast: 4 },
    stock: '402LargeTasks',
    async run(target) {
      const messages = target.taskIds.map((id) =>
        messageOf(GetTaskRequestSchema, { id, view: TaskView.FULL }),
      );
      let next = 0;
      const grpc = onWires(target, connections, { window: 0 }, async (wire) => {
        await keepCalls(target, wire, callsEach, () => {
          const message = messages[next++ % messages.length];
          const stream = wire.call(message === undefined ? paths.health : paths.getTask);
          wire.send(stream, message ?? frame(Buffer.alloc(0)), true);
          return stream;
        });
      });
      await Promise.all([grpc, target.taskIds.length === 0 ? undefined : unreadHttp(target)]);
    },
  },
  {
    name: 'unread-streams',
    counts: 'streams',
    asStranger: { measure: 'sent', atLeast: 16 },
    asIdentity: { verb: 'read', measure: 'held', atLeast: 16 },
    stock: '300SmallTasks',
    async run(target) {
      const tasks = target.taskIds.slice(0, 100).map((id) => ({ id }));
      const watch = messageOf(WatchTasksRequestSchema, { tasks });
      const symbol = 'holdfast.v1.TaskService';
      const ask = frame(Buffer.concat([Buffer.of(0x22, symbol.length), Buffer.from(symbol)]));
      await onWires(target, connections, { window: 0 }, async (wire) => {
        let next = 0;
        await keepCalls(target, wire, 16, () => {
          const isWatch = tasks.length > 0 && next++ % 2 === 0;
          const stream = wire.call(isWatch ? paths.watchTasks : paths.reflection);
          if (isWatch) wire.send(stream, watch, true);
          else for (let i = 0; i < 50; i++) wire.send(stream, ask);
          return stream;
        });
      });
    },
  },
  {
    name: 'unread-work',
    counts: 'streams',
    asStranger: undefined,
    asIdentity: { verb: 'work', measure: 'held', atLeast: 16 },
    stock: '402LargeTasks',
    async run(target) {
      const types = [{ type: stockType, maxVersion: 1, tasks: undefined }];
      await onWires(target, connections, { window: 0 }, async (wire) => {
        await keepCalls(target, wire, 200, () => {
          const stream = wire.call(paths.work);
          wire.send(stream, workHello({ queues: [stockQueue], types, bytes: 1_000_000_000 }));
          return stream;
        });
      });
    },
  },
];
