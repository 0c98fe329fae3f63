/**
 * Main program of the process in which `holdfast worker` and `holdfast dev` run one task that must run alone. It loads the
 * worker's module, runs the handler of that task, and ends. If the handler ends the process, no other task is lost.
 */

import type { Handler } from '../../client/contract/handler.ts';
import { createClient } from '../../client/create-client.ts';
import { neverThrowing } from '../../client/log.ts';
import { Attempts } from '../../client/worker/attempts.ts';
import { peekSpec } from '../../core/codec/spec.ts';
import { asHoldfastError } from '../../core/errors.ts';
import type { Assignment } from '../../core/messages.ts';
import { systemClock } from '../../platform/clock.ts';
import { defaultLog } from '../../platform/log.ts';
import { ContinuedTracing } from '../../telemetry/traces/continued-tracing.ts';
import { endWithParent } from '../end-with-parent.ts';
import { loadWorker } from '../module/load.ts';
import { type RunningTelemetry, startTelemetry } from '../start-telemetry.ts';
import type { AloneCommand, AloneReport } from './messages.ts';
import { RelayedTransport } from './relayed-transport.ts';

// A signal to the whole process group, such as that of Ctrl-C, is for the worker: it lets this process finish.
process.on('SIGINT', () => {});
process.on('SIGTERM', () => {});
endWithParent();

function report(message: AloneReport): void {
  if (process.connected) process.send?.(message);
}

/** Sends the last report, and ends this process once it is sent, whatever the user's module still holds. */
function end(message: AloneReport): void {
  const exit = (code: number): void => {
    const sent = telemetry?.stop() ?? Promise.resolve();
    void sent.finally(() => process.exit(code));
  };
  if (process.connected) process.send?.(message, () => exit(0));
  else exit(1);
}

/** Calls the handler once the worker knows of it: the end of this process is a loss of the task only from then on. */
function begin(attempts: Attempts, assignment: Assignment, handler: Handler): void {
  attempts.start({ assignment, handler, receivedAtMs: clock.monotonic() }, true);
  const attempt = attempts.get(assignment.id);
  if (attempt !== undefined) process.send?.({ kind: 'begun' }, () => attempts.recorded(attempt));
}

const clock = systemClock();
const log = neverThrowing(defaultLog());
const transport = new RelayedTransport(report);
let telemetry: RunningTelemetry | undefined;

try {
  const worker = await loadWorker(process.argv[2] as string);
  // The user's module may have unreferenced the channel, and this process would end before its handler is called.
  process.channel?.ref();
  telemetry = await startTelemetry({ clock, log, serviceName: 'holdfast-worker' });
  const { tracing } = telemetry;
  const { submitChild } = createClient(transport, { clock, log, tracing });
  const attempts = new Attempts(clock, worker.handlers, worker.use, {
    clock,
    log,
    submit: submitChild,
    tracing: new ContinuedTracing(tracing),
    workerName: '',
    // The worker keeps the limits of the attempt's time, and aborts its signals.
    due() {},
    progressed: ({ progress }) => progress !== undefined && report({ kind: 'progress', progress }),
    ended: (_attempt, outcome) => end({ kind: 'ended', outcome }),
  });
  process.on('message', (command: AloneCommand) => {
    switch (command.kind) {
      case 'run': {
        const { assignment } = command;
        const { type } = peekSpec(assignment.spec);
        const handler = worker.handlers.find(({ task }) => task.name === type);
        if (handler === undefined) end({ kind: 'failed', message: `the module has no handler of '${type}'` });
        else begin(attempts, assignment, handler);
        break;
      }
      case 'abort':
        attempts.abortAll(command.abortKind, command.message);
        break;
      case 'stopping':
        attempts.workerStops();
        break;
      default:
        transport.answered(command);
    }
  });
  report({ kind: 'ready' });
} catch (thrown) {
  end({ kind: 'failed', message: asHoldfastError(thrown).message });
}
