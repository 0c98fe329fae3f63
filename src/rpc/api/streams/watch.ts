import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { timing } from '../../../core/limits.ts';
import { itemError } from '../../../service/rejections.ts';
import {
  type WatchTaskRequest,
  type WatchTaskResponse,
  type WatchTasksRequest,
  WatchTasksRequestSchema,
  type WatchTasksResponse,
  WatchTasksResponseSchema,
} from '../../gen/holdfast/v1/task_service_pb.ts';
import { tenantOf } from '../access.ts';
import type { Api, CallContext } from '../api.ts';
import type { ApiDeps } from '../api-deps.ts';
import { admit, admitTask } from '../guard.ts';
import * as requests from '../validation/requests.ts';
import { errorFromWire } from '../wire/from-wire.ts';
import { errorToWire, updateToWire } from '../wire/to-wire.ts';
import { Mailbox } from './mailbox.ts';
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
  const uncount = countStream(deps, context);
  const { clock } = deps;
  const box = new Mailbox<Update | 'end'>();
  const stop = new AbortController();
  const signal = AbortSignal.any([stop.signal, context.signal]);

  let unfinished = watched.length;
  for (const { task, tenant } of watched) {
    void watchOne(deps, tenant, task, { ...context, signal }, box).finally(() => {
      if (--unfinished === 0) void box.put('end');
    });
  }
  const sendDrain = (): void => void box.put(drain);
  const cancelAge = clock.after(streamAgeMs(clock), sendDrain);
  const unsubscribe = deps.onDrain(sendDrain);
  let cancelKeepAlive = clock.after(timing.keepAliveMs, sendKeepAlive);
  function sendKeepAlive(): void {
    if (box.empty) void box.put(keepAlive);
    cancelKeepAlive = clock.after(timing.keepAliveMs, sendKeepAlive);
  }
  try {
    for (;;) {
      const next = await box.take();
      if (next === 'end') return;
      yield create(WatchTasksResponseSchema, next);
      if (next === drain) return;
    }
  } finally {
    stop.abort();
    box.close();
    cancelAge();
    cancelKeepAlive();
    unsubscribe();
    uncount();
  }
}

async function watchOne(
  deps: ApiDeps,
  tenant: string,
  { id, fromVersion }: WatchTaskRequest,
  context: CallContext,
  box: Mailbox<Update | 'end'>,
): Promise<void> {
  try {
    await admitTask(deps, tenant, id, context);
    for await (const update of deps.service.watch(tenant, id, fromVersion, context.signal)) {
      await box.put({ id, update: updateToWire(update) });
      if (context.signal.aborted) return;
    }
  } catch (thrown) {
    await box.put({ id, error: errorToWire(itemError(thrown)) });
  }
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
