/** Attacks that make the server work: messages that grow, many small messages, large lists, and valid submissions. */
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { encodeReportRequest } from '../../../src/core/codec/report.ts';
import {
  ExplainTaskRequestSchema,
  ListTasksRequestSchema,
  ListTroubleRequestSchema,
} from '../../../src/rpc/gen/holdfast/v1/task_service_pb.ts';
import { frame, type RawSession } from '../../fixtures/raw-grpc.ts';
import type { Attack } from './attack.ts';
import { messageOf, newKey, paths, stockQueue, submission } from './messages.ts';
import type { Target } from './target.ts';

const connections = 4;
/** The bytes of a message before it is compressed: a thousand times as many as afterwards. */
const bombBytes = 200 * 1_048_576;

interface CallLoop {
  readonly path: string;
  readonly message: () => Buffer;
  /** The calls that each connection has open. */
  readonly callsEach: number;
  /** How many items each call counts. Default: 1. */
  readonly counted?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly connections?: number;
}

/** Makes calls on several connections without a pause: each answer is followed by the next call. */
export async function callLoops(target: Target, loop: CallLoop): Promise<void> {
  const one = async (): Promise<void> => {
    let raw: RawSession = await target.session();
    await target.atOnce(loop.callsEach, async () => {
      if (raw.session.destroyed) raw = await target.session();
      const { stream, status } = raw.call(loop.path, loop.headers);
      stream.end(loop.message());
      target.tally.sent(loop.counted ?? 1);
      const { code } = await status;
      if (Number.isNaN(code)) await sleep(10);
      if (code === 0) target.tally.answered(loop.counted ?? 1);
    });
  };
  await Promise.all(Array.from({ length: loop.connections ?? connections }, one));
}

/** Resolves when the stream takes more bytes, or is closed. */
function drainedOrClosed(stream: NodeJS.EventEmitter): Promise<void> {
  return new Promise((resolve) => {
    const ready = (): void => {
      stream.off('drain', ready).off('close', ready);
      resolve();
    };
    stream.on('drain', ready).on('close', ready);
  });
}

async function httpBombs(target: Target, bomb: Buffer): Promise<void> {
  const head = [
    `POST ${paths.submitTask} HTTP/1.1`,
    'host: x',
    'content-type: application/json',
    'content-encoding: gzip',
    `content-length: ${bomb.length}`,
    'connection: close',
  ].join('\r\n');
  await target.atOnce(20, async () => {
    const socket = await target.tls('http');
    if (socket === undefined) return void (await sleep(50));
    socket.resume();
    target.tally.sent();
    socket.write(`${head}\r\n\r\n`);
    socket.write(bomb);
    await new Promise<void>((resolve) => socket.once('close', () => resolve()));
  });
}

export const workAttacks: readonly Attack[] = [
  {
    name: 'compressed-bombs',
    counts: 'messages',
    asStranger: { measure: 'sent', atLeast: 20 },
    asIdentity: { verb: 'submit', measure: 'sent', atLeast: 20 },
    async run(target) {
      const bomb = gzipSync(Buffer.alloc(bombBytes));
      const grpc = callLoops(target, {
        path: paths.submitTask,
        message: () => frame(bomb, bomb.length, 1),
        callsEach: 20,
        headers: { 'grpc-encoding': 'gzip' },
      });
      await Promise.all([grpc, httpBombs(target, bomb)]);
    },
  },
  {
    name: 'small-messages',
    counts: 'messages',
    asStranger: { measure: 'sent', atLeast: 1000 },
    asIdentity: { verb: 'work', measure: 'sent', atLeast: 10000 },
    async run(target) {
      const keepAlive = frame(encodeReportRequest({ kind: 'keepAlive' }));
      const many = Buffer.concat(Array.from({ length: 1_000 }, () => keepAlive));
      const hello = frame(
        encodeReportRequest({ kind: 'hello', sessionId: '', workerId: crypto.randomUUID(), tenant: '' }),
      );
      await target.atOnce(2 * connections, async () => {
        const raw = await target.session();
        const { stream } = raw.call(paths.report);
        stream.write(hello);
        while (!stream.destroyed && stream.writable && !target.isOver) {
          const hasRoom = stream.write(many);
          target.tally.sent(1_000);
          if (!hasRoom) await drainedOrClosed(stream);
          await sleep(0);
        }
        raw.session.destroy();
      });
    },
  },
  {
    name: 'lists',
    counts: 'calls',
    asStranger: undefined,
    asIdentity: { verb: 'read', measure: 'answered', atLeast: 20 },
    stock: '20000SmallTasks',
    run(target) {
      const message = messageOf(ListTasksRequestSchema, { queue: stockQueue, tag: 'none', pageSize: 100 });
      return callLoops(target, { path: paths.listTasks, message: () => message, callsEach: 250 });
    },
  },
  {
    name: 'trouble-lists',
    counts: 'calls',
    asStranger: undefined,
    asIdentity: { verb: 'read', measure: 'answered', atLeast: 2 },
    stock: '402LargeTasks',
    run(target) {
      const message = messageOf(ListTroubleRequestSchema, {});
      return callLoops(target, { path: paths.listTrouble, message: () => message, callsEach: 250 });
    },
  },
  {
    name: 'explanations',
    counts: 'calls',
    asStranger: undefined,
    asIdentity: { verb: 'read', measure: 'answered', atLeast: 20 },
    stock: '402LargeTasks',
    run(target) {
      const messages = target.taskIds.map((id) => messageOf(ExplainTaskRequestSchema, { id }));
      let next = 0;
      return callLoops(target, {
        path: paths.explainTask,
        message: () => messages[next++ % messages.length] ?? Buffer.alloc(0),
        callsEach: 250,
      });
    },
  },
  {
    name: 'names',
    counts: 'calls',
    asStranger: undefined,
    asIdentity: { verb: 'submit', measure: 'answered', atLeast: 100 },
    run(target) {
      let next = 0;
      const name = (kind: string): string => `${kind}-${newKey().replaceAll('/', '-')}`;
      return callLoops(target, {
        path: paths.submitTasks,
        message: () => submission(1, 10, name('queue'), next++ % 2 === 0 ? name('tenant') : ''),
        callsEach: 100,
      });
    },
  },
  {
    name: 'submissions',
    counts: 'tasks',
    asStranger: { measure: 'sent', atLeast: 1000 },
    asIdentity: { verb: 'submit', measure: 'answered', atLeast: 100 },
    run: (target) =>
      callLoops(target, {
        path: paths.submitTasks,
        message: () => submission(100, 100),
        callsEach: 400,
        counted: 100,
      }),
  },
  {
    name: 'large-submissions',
    counts: 'tasks',
    asStranger: undefined,
    asIdentity: { verb: 'submit', measure: 'answered', atLeast: 4 },
    run: (target) =>
      callLoops(target, {
        path: paths.submitTasks,
        message: () => submission(4, 250_000),
        callsEach: 50,
        counted: 4,
      }),
  },
];
