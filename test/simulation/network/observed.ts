import type { Transport } from '../../../src/client/transport.ts';
import { decodeLease } from '../../../src/core/codec/lease.ts';
import type { ReportRequest, ReportResponse, WorkResponse } from '../../../src/core/messages.ts';
import type { AssignedTasks } from '../checks/assigned.ts';
import type { SimProcess } from './process.ts';

/** Returns the transport of a worker's process with a record of the tasks and recalls that the process receives. */
export function observed(transport: Transport, process: SimProcess, assigned: AssignedTasks): Transport {
  return {
    submit: (batch, options) => transport.submit(batch, options),
    call: (method, request, options) => transport.call(method, request, options),
    watch: (request, options) => transport.watch(request, options),
    close: () => transport.close(),
    work(events) {
      let node = '';
      const receivedWork = (message: WorkResponse): void => {
        if (message.kind === 'welcome') node = message.node;
        if (message.kind === 'assignments')
          for (const task of message.tasks) assigned.received(process, node, task);
        if (message.kind === 'cancel') assigned.recalled(message.id, message.fencingToken, message.cause);
      };
      return transport.work({
        message(message) {
          receivedWork(message);
          events.message(message);
        },
        end: (error) => events.end(error),
      });
    },
    report(events) {
      const sent = new Map<number, Extract<ReportRequest, { kind: 'heartbeats' }>['items']>();
      const out = transport.report({
        message(message) {
          receivedReport(message);
          events.message(message);
        },
        end: (error) => events.end(error),
      });
      return {
        send(message) {
          if (message.kind === 'heartbeats') sent.set(message.batch, message.items);
          return out.send(message);
        },
        drained: () => out.drained(),
        end: () => out.end(),
        abort: (error) => out.abort(error),
      };
      function receivedReport(message: ReportResponse): void {
        if (message.kind !== 'heartbeats') return;
        const items = sent.get(message.batch) ?? [];
        sent.delete(message.batch);
        for (const [i, answer] of message.answers.entries()) {
          const item = items[i];
          if (item === undefined || (answer.verdict !== 'cancel' && answer.verdict !== 'leaseLost')) continue;
          const { id, fencingToken } = decodeLease(item.lease);
          assigned.recalled(id, fencingToken, answer.verdict === 'cancel' ? answer.cause : 'leaseLost');
        }
      }
    },
  };
}
