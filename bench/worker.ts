/**
 * A worker process that uses the transport directly, without the SDK's worker. It settles each task as soon as it is
 * assigned, and sends its parent process the time of each assignment and the number of settled tasks.
 */
import { grpcTransport } from '../src/client/grpc/transport.ts';
import type { Outgoing } from '../src/client/transport.ts';
import type { Assignment, ReportRequest, Settlement, WorkRequest } from '../src/core/messages.ts';
import { systemClock } from '../src/platform/clock.ts';

const [address = '', ca = '', cert = '', key = '', queue = ''] = process.argv.slice(2);
const transport = grpcTransport({ address, tls: { ca, cert, key }, clock: systemClock() });
const credits = 256;
const batchItems = 100;
let batch = 0;
let settled = 0;

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
      report.send({ kind: 'hello', sessionId: message.sessionId, workerId: 'bench', tenant: '' });
      process.send?.({ ready: true });
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
const types = [{ type: 'noop', maxVersion: 1 }];
work.send({
  kind: 'hello',
  tenant: '',
  workerName: 'bench',
  workerId: 'bench',
  queues: [queue],
  types,
  tasks: credits,
  bytes: 8_000_000,
  reportsBegun: false,
});
// Exit when the parent process is killed.
process.on('disconnect', () => process.exit(0));
