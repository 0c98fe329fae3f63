/** Attacks by messages that go before all other calls: heartbeats and settlements, in Report streams and in calls of their own. */
import { setTimeout as sleep } from 'node:timers/promises';
import { fromBinary } from '@bufbuild/protobuf';
import { encodeLease } from '../../../src/core/codec/lease.ts';
import { encodeReportRequest } from '../../../src/core/codec/report.ts';
import { limits } from '../../../src/core/limits.ts';
import type { ReportRequest } from '../../../src/core/messages.ts';
import {
  ClaimTasksRequestSchema,
  ClaimTasksResponseSchema,
  HeartbeatRequestSchema,
} from '../../../src/rpc/gen/holdfast/v1/worker_service_pb.ts';
import { frame, type RawCall, type RawSession } from '../../fixtures/raw-grpc.ts';
import type { Attack } from './attack.ts';
import { messageOf, paths, stockQueue, stockType } from './messages.ts';
import type { Target } from './target.ts';
import { callLoops } from './work-attacks.ts';

const connections = 48;
const streamsEach = 8;
/** The batches of each stream that wait for their answers: as many as a stream may have. */
const batchesEach = limits.reportBatches;
const headBytes = 5;

/** Calls `answered` for each complete message that the server sends on the stream. */
export function onMessages(stream: RawCall['stream'], answered: (message: Buffer) => void): void {
  let rest: Buffer = Buffer.alloc(0);
  stream.on('data', (chunk: Buffer) => {
    rest = Buffer.concat([rest, chunk]);
    for (;;) {
      const end = rest.length < headBytes ? Number.POSITIVE_INFINITY : headBytes + rest.readUInt32BE(1);
      if (rest.length < end) return;
      answered(rest.subarray(headBytes, end));
      rest = rest.subarray(end);
    }
  });
}

/** Claims tasks of the stock, as many as one call may, and returns their leases. */
async function claimLeases(target: Target): Promise<readonly Uint8Array[]> {
  await using raw = await target.session();
  const { stream, status } = raw.call(paths.claimTasks);
  let leases: readonly Uint8Array[] = [];
  onMessages(stream, (message) => {
    leases = fromBinary(ClaimTasksResponseSchema, message).tasks.map(({ lease }) => lease);
  });
  const request = { queues: [stockQueue], types: [{ type: stockType, maxVersion: 1 }], workerName: 'hog' };
  stream.end(
    messageOf(ClaimTasksRequestSchema, {
      ...request,
      workerId: crypto.randomUUID(),
      maxTasks: limits.batchItems,
    }),
  );
  await status;
  if (leases.length === 0) throw new Error('the attacker could not claim a task');
  return leases;
}

/** Leases of tasks that exist, as no claim made them: the server must read the tasks to refuse them. */
function madeUpLeases(target: Target): readonly Uint8Array[] {
  return target.taskIds.slice(0, limits.batchItems).map((id) =>
    encodeLease({
      ...{ id, fencingToken: 1, version: 1, secret: 'made up', timeoutAtMs: Date.now() + 60_000 },
      receiptHandle: '',
    }),
  );
}

/** Keeps as many batches on Report streams as they may have, each message made by `next`. */
async function reportFlood(
  target: Target,
  items: number,
  next: (batch: number) => ReportRequest,
): Promise<void> {
  const hello = frame(
    encodeReportRequest({ kind: 'hello', sessionId: '', workerId: crypto.randomUUID(), tenant: '' }),
  );
  const one = async (raw: RawSession): Promise<void> => {
    const { stream, status } = raw.call(paths.report);
    let batch = 0;
    const send = (): void => {
      if (target.isOver || !stream.writable) return;
      stream.write(frame(encodeReportRequest(next(batch++))));
      target.tally.sent(items);
    };
    stream.write(hello);
    onMessages(stream, () => {
      target.tally.answered(items);
      send();
    });
    for (let i = 0; i < batchesEach; i++) send();
    await status;
    await sleep(10);
  };
  await target.atOnce(connections, async () => {
    const raw = await target.session();
    const isOpen = (): boolean => !raw.session.destroyed && !target.isOver;
    const streams = Array.from({ length: streamsEach }, async () => {
      while (isOpen()) await one(raw);
    });
    await Promise.all(streams);
  });
}

export const reportAttacks: readonly Attack[] = [
  {
    name: 'heartbeats',
    counts: 'heartbeats',
    asStranger: undefined,
    asIdentity: { verb: 'work', measure: 'answered', atLeast: 100 },
    stock: '300SmallTasks',
    async run(target) {
      const leases = await claimLeases(target);
      const items = leases.map((lease) => ({ lease, begun: true, progress: undefined }));
      await reportFlood(target, items.length, (batch) => ({ kind: 'heartbeats', batch, items }));
    },
  },
  {
    name: 'settlements',
    counts: 'settlements',
    asStranger: undefined,
    asIdentity: { verb: 'work', measure: 'answered', atLeast: 100 },
    stock: '300SmallTasks',
    async run(target) {
      const items = madeUpLeases(target).map((lease) => ({
        ...{ lease, outcome: 'succeeded' as const, result: undefined, message: '', errorType: '' },
        ...{ afterMs: undefined, begun: true },
      }));
      await reportFlood(target, items.length, (batch) => ({ kind: 'settlements', batch, items }));
    },
  },
  {
    name: 'heartbeat-calls',
    counts: 'heartbeats',
    asStranger: undefined,
    asIdentity: { verb: 'work', measure: 'answered', atLeast: 100 },
    stock: '300SmallTasks',
    async run(target) {
      const leases = await claimLeases(target);
      const message = messageOf(HeartbeatRequestSchema, {
        items: leases.map((lease) => ({ lease, begun: true })),
      });
      await callLoops(target, {
        path: paths.heartbeat,
        message: () => message,
        callsEach: 250,
        counted: leases.length,
      });
    },
  },
];
