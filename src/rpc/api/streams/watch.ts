import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { timing } from '../../../core/limits.ts';
import { itemError } from '../../../service/rejections.ts';
import type { WatchedUpdate } from '../../../service/service.ts';
import {
  type WatchTaskRequest,
  type WatchTaskResponse,
  type WatchTasksRequest,
  WatchTasksRequestSchema,
  type WatchTasksResponse,
  WatchTasksResponseSchema,
} from '../../gen/holdfast/v1/task_service_pb.ts';
import type { Api, CallContext } from '../api.ts';
import type { ApiDeps } from '../api-deps.ts';
import { tenantOf } from '../permission/access.ts';
import { admit, admitTask } from '../permission/guard.ts';
import * as requests from '../validation/requests.ts';
import { errorFromWire } from '../wire/from-wire.ts';
import { errorToWire, updateToWire } from '../wire/to-wire.ts';
import { countStream } from './server-channel.ts';
import { streamAgeMs } from './stream-life.ts';

type Update = MessageInitShape<typeof WatchTasksResponseSchema>;

const keepAlive: Update = { update: { update: { case: 'keepAlive', value: {} } } };
const drain: Update = { update: { update: { case: 'drain', value: {} } } };

/**
 * Streams the events and the progress of tasks until all tasks have ended. A task that cannot be watched is answered
 * with an error and does not affect the other tasks. Updates of the tasks are read no faster than the client reads the
 * stream.
 */
export async function* watchTasks(
  deps: ApiDeps,
  request: WatchTasksRequest,
  context: CallContext,
): AsyncGenerator<WatchTasksResponse> {
  admit(deps, requests.watchTasks, 'read', request, context);
  const watched = request.tasks.map((task) => ({
    task,
    tenant: tenantOf(context.identity, task.tenant === '' ? request.tenant : task.tenant),
  }));
  const { clock, service } = deps;
  const uncount = countWatches(deps, context, watched.length);
  let wake = (): void => {};
  const changed = (): void => wake();
  const watches = service.watchTasks(changed);
  /** Updates that are sent before those of the tasks: refusals of single tasks, keep-alives, drain. */
  const first: Update[] = [];
  let unadmitted = watched.length;
  for (const { task, tenant } of watched) {
    const refuse = (thrown: unknown): void =>
      void first.push({ id: task.id, error: errorToWire(itemError(thrown)) });
    const add = (): void => watches.add(tenant, task.id, task.fromVersion);
    const admitted = (): void => {
      unadmitted--;
      changed();
    };
    void admitTask(deps, tenant, task.id, context).then(add).catch(refuse).finally(admitted);
  }
  const send = (update: Update): void => {
    first.push(update);
    changed();
  };
  const cancelAge = clock.after(streamAgeMs(clock), () => send(drain));
  const unsubscribe = deps.onDrain(() => send(drain));
  let cancelKeepAlive = clock.after(timing.keepAliveMs, sendKeepAlive);
  function sendKeepAlive(): void {
    if (first.length === 0) send(keepAlive);
    cancelKeepAlive = clock.after(timing.keepAliveMs, sendKeepAlive);
  }
  context.signal.addEventListener('abort', changed);
  try {
    while (!context.signal.aborted) {
      const next = first.shift() ?? toWire(watches.take());
      if (next !== undefined) {
        yield create(WatchTasksResponseSchema, next);
        if (next === drain) return;
      } else if (unadmitted === 0 && watches.count === 0) {
        return;
      } else {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    }
  } finally {
    watches.close();
    context.signal.removeEventListener('abort', changed);
    cancelAge();
    cancelKeepAlive();
    unsubscribe();
    uncount();
  }
}

/** Counts a stream and its watched tasks, and returns a function that counts them as ended. */
function countWatches(deps: ApiDeps, context: CallContext, tasks: number): () => void {
  const uncountStream = countStream(deps, context);
  try {
    const uncountTasks = deps.watches.take(context.identity, tasks);
    return () => {
      uncountTasks();
      uncountStream();
    };
  } catch (thrown) {
    uncountStream();
    throw thrown;
  }
}

function toWire(next: WatchedUpdate | undefined): Update | undefined {
  if (next === undefined) return undefined;
  const { id, update, error } = next;
  return error === undefined
    ? { id, update: updateToWire(update) }
    : { id, error: errorToWire(itemError(error)) };
}

/**
 * Serves WatchTask by a WatchTasks call for one task. If the task cannot be watched, the call fails with the task's
 * error.
 */
export async function* watchTask(
  api: Pick<Api, 'watch'>,
  request: WatchTaskRequest,
  context: CallContext,
): AsyncGenerator<WatchTaskResponse> {
  const { tenant } = request;
  const many = create(WatchTasksRequestSchema, { tasks: [request], tenant });
  for await (const { update, error } of api.watch(many, context)) {
    if (error !== undefined) throw errorFromWire(error);
    if (update !== undefined) yield update;
  }
}
