/**
 * A worker process that uses the transport directly, without the SDK's worker. It settles each task as soon as it is
 * assigned, and sends its parent process the time of each assignment and the number of settled tasks.
 */
import { grpcTransport } from '../src/client/grpc/transport.ts';
import type { Outgoing } from '../src/client/transport.ts';
import type { Assignment, ReportRequest, Settlement, WorkRequest } from '../src/core/messages.ts';
import { systemClock } from '../src/platform/clock.ts';

const [address = '', ca = '', cert = '', key = '', queue = '', credits = '256', streams = '1'] =
  process.argv.slice(2);
const transport = grpcTransport({ address, tls: { ca, cert, key }, clock: systemClock() });
const batchItems = 100;
let settled = 0;
let open = 0;

function settlementOf(task: Assignment): Settlement {
  return {
    lease: task.lease,
    outcome: 'succeeded',
    result: undefined,
    message: '',
    errorType: '',
    afterMs: undefined,
    begun: false,
  };
}

/** Opens one worker's streams, as many of which as a fleet of processes would have may be in this process. */
function openWorker(workerId: string): void {
  let batch = 0;
  let report: Outgoing<ReportRequest>;
  const work: Outgoing<WorkRequest> = transport.work({
    message(message) {
      if (message.kind === 'welcome') {
        report = transport.report({
          message(answer) {
            if (answer.kind !== 'settled') return;
            settled += answer.results.length;
            process.send?.({ settled });
          },
          end: () => process.exit(0),
        });
        report.send({ kind: 'hello', sessionId: message.sessionId, workerId, tenant: '' });
        if (++open === Number(streams)) process.send?.({ ready: true });
      } else if (message.kind === 'assignments') {
        process.send?.({ began: message.tasks.length, atMs: performance.timeOrigin + performance.now() });
        work.send({ kind: 'received', seq: message.seq, begun: [], attempts: [], kept: [] });
        const items = message.tasks.map(settlementOf);
        for (let i = 0; i < items.length; i += batchItems) {
          report.send({ kind: 'settlements', batch: ++batch, items: items.slice(i, i + batchItems) });
        }
      }
    },
    end: () => process.exit(0),
  });
  work.send({
    kind: 'hello',
    tenant: '',
    workerName: 'bench',
    workerId,
    queues: [queue],
    types: [{ type: 'noop', maxVersion: 1 }],
    tasks: Number(credits),
    bytes: 8_000_000,
    reportsBegun: false,
  });
}

for (let i = 0; i < Number(streams); i++) openWorker(i === 0 ? 'bench' : `bench-${i}`);
// Exit when the parent process is killed.
process.on('disconnect', () => process.exit(0));
