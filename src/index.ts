/** The public SDK, and the second composition root: what is embedded is loaded only when it is asked for. */
import { hostname } from 'node:os';
import { type Connect, connector } from './client/connect.ts';
import { sharedNodes } from './client/embedded.ts';
import { systemClock } from './platform/clock.ts';
import { defaultLog } from './platform/log.ts';
import { processPresence } from './platform/presence.ts';

export type { Client, ClientOptions, ListOptions, SubmitOutcome, TaskPage } from './client/client.ts';
export { createClient } from './client/client.ts';
export type { ClientTls, Connect, ConnectOptions } from './client/connect.ts';
export type { Context } from './client/context.ts';
export { type Duration, durationMs } from './client/duration.ts';
export {
  type AbortKind,
  AttemptAborted,
  type Code,
  FatalError,
  HoldfastError,
  type Reason,
  RetryAfter,
  Snooze,
  TaskFailedError,
  type Violation,
} from './client/errors.ts';
export {
  type DeadTask,
  defineWorker,
  type HandleOptions,
  type Handler,
  handle,
  type Middleware,
  type WorkerOptions,
  type WorkerSpec,
} from './client/handler.ts';
export type { NotJson } from './client/json-leaves.ts';
export type { Logger } from './client/log.ts';
export type { EndReason, EventType, State, TaskEvent, TaskStatus } from './client/status.ts';
export type { Submit } from './client/submit-call.ts';
export type { SubmitOptions } from './client/submit-options.ts';
export {
  defineTask,
  type InputOf,
  type ResultOf,
  type Retry,
  type Task,
  type TaskOptions,
  typed,
} from './client/task.ts';
export type { SubmittedTask, TaskHandle } from './client/task-handle.ts';
export type { Transport } from './client/transport.ts';
export type { Running } from './client/worker/running.ts';

const clock = systemClock();

const openEmbedded = sharedNodes(async (url) => {
  const [{ openEmbedded: openNode }, { inProcess }] = await Promise.all([
    import('./server.ts'),
    import('./rpc/in-process.ts'),
  ]);
  const node = await openNode(url);
  const transport = inProcess({ api: node.api, clock });
  return {
    transport,
    async close() {
      await transport.close();
      await node.close();
    },
  };
});

/**
 * A client of the server that the URL names: `holdfast://host:port` over mutual TLS, `file:./queue.db` for a store in
 * this process, `memory:` for one that is gone with it. Without a URL: HOLDFAST_URL, else the profile that
 * `holdfast dev` wrote. Returns at once and dials at the first call; idle, it does not keep the process alive.
 *
 * @throws HoldfastError INVALID_ARGUMENT, reason BAD_CONFIGURATION, where no server or no certificate is known.
 */
export const connect: Connect = connector({
  clock,
  presence: processPresence(),
  workerName: `${hostname()}/${process.pid}`,
  cwd: () => process.cwd(),
  env: process.env,
  log: defaultLog,
  openEmbedded,
});
