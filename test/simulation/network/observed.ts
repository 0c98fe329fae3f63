import type { Outgoing, Transport } from '../../../src/client/transport.ts';
import { decodeLease } from '../../../src/core/codec/lease.ts';
import type {
  AttemptReference,
  ReportRequest,
  ReportResponse,
  WorkResponse,
} from '../../../src/core/messages.ts';
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
      /** The tasks of this stream in the order of assignment, by which the worker reports what it begins. */
      const places: AttemptReference[] = [];
      const receivedWork = (message: WorkResponse): void => {
        if (message.kind === 'welcome') node = message.node;
        if (message.kind === 'assignments')
          for (const task of message.tasks) {
            assigned.received(process, node, task);
            places.push(task);
          }
        if (message.kind === 'cancel') assigned.recalled(message.id, message.fencingToken, message.cause);
      };
      const out = transport.work({
        message(message) {
          receivedWork(message);
          events.message(message);
        },
        end: (error) => events.end(error),
      });
      return withSend(out, (message) => {
        if (message.kind !== 'received') return;
        const begun = message.begun.flatMap((place) => places[place - 1] ?? []);
        for (const { id, fencingToken } of [...begun, ...message.attempts])
          assigned.reported(id, fencingToken);
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
      return withSend(out, (message) => {
        if (message.kind === 'heartbeats') sent.set(message.batch, message.items);
      });
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

/** Returns the sending side of a stream with a function that sees each message before it is sent. */
function withSend<Message>(out: Outgoing<Message>, see: (message: Message) => void): Outgoing<Message> {
  return {
    send(message) {
      see(message);
      return out.send(message);
    },
    drained: () => out.drained(),
    end: () => out.end(),
    abort: (error) => out.abort(error),
  };
}
