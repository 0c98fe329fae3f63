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
import { admit, admitTask } from '../guard.ts';
import type { Parts } from '../parts.ts';
import * as requests from '../validation/requests.ts';
import { errorFromWire } from '../wire/from-wire.ts';
import { errorToWire, updateToWire } from '../wire/to-wire.ts';
import { openCounted } from './channel.ts';
import { Mailbox } from './mailbox.ts';
import { streamAgeMs } from './stream-life.ts';

type Update = MessageInitShape<typeof WatchTasksResponseSchema>;

const keepAlive: Update = { update: { update: { case: 'keepAlive', value: {} } } };
const drain: Update = { update: { update: { case: 'drain', value: {} } } };

/**
 * The tasks' events and progress as they happen, until all have ended. A task that cannot be watched is told so and
 * disturbs no other. Reads no faster than the reader takes.
 */
export async function* watchTasks(
  parts: Parts,
  request: WatchTasksRequest,
  context: CallContext,
): AsyncGenerator<WatchTasksResponse> {
  admit(parts, requests.watchTasks, 'read', request, context);
  const watched = request.tasks.map((task) => ({
    task,
    tenant: tenantOf(context.identity, task.tenant === '' ? request.tenant : task.tenant),
  }));
  const uncount = openCounted(parts, context);
  const { clock } = parts;
  const box = new Mailbox<Update | 'end'>();
  const stop = new AbortController();
  const signal = AbortSignal.any([stop.signal, context.signal]);

  let going = watched.length;
  for (const { task, tenant } of watched) {
    void pump(parts, tenant, task, { ...context, signal }, box).finally(() => {
      if (--going === 0) void box.put('end');
    });
  }
  const finish = (): void => void box.put(drain);
  const cancelAge = clock.after(streamAgeMs(clock), finish);
  const forget = parts.onDrain(finish);
  let cancelBeat = clock.after(timing.keepAliveMs, beat);
  function beat(): void {
    if (box.empty) void box.put(keepAlive);
    cancelBeat = clock.after(timing.keepAliveMs, beat);
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
    cancelBeat();
    forget();
    uncount();
  }
}

async function pump(
  parts: Parts,
  tenant: string,
  { id, fromVersion }: WatchTaskRequest,
  context: CallContext,
  box: Mailbox<Update | 'end'>,
): Promise<void> {
  try {
    await admitTask(parts, tenant, id, context);
    for await (const update of parts.service.watch(tenant, id, fromVersion, context.signal)) {
      await box.put({ id, update: updateToWire(update) });
      if (context.signal.aborted) return;
    }
  } catch (thrown) {
    await box.put({ id, error: errorToWire(itemError(thrown)) });
  }
}

/** WatchTask by means of WatchTasks: what is an error of one of many is the call's here. */
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
