import { create } from '@bufbuild/protobuf';
import { defaults, limits } from '../../core/limits.ts';
import type { TaskEvent } from '../../core/task/event.ts';
import { stateNumbers } from '../../core/wire-numbers.ts';
import type { TaskFilter } from '../../ports/task-store.ts';
import type { ListFilter } from '../../service/service.ts';
import { TaskView } from '../gen/holdfast/v1/task_pb.ts';
import type {
  ListTasksRequest,
  RedriveTasksRequest,
  SubmitItem,
  TaskService,
} from '../gen/holdfast/v1/task_service_pb.ts';
import { SubmitItemSchema } from '../gen/holdfast/v1/task_service_pb.ts';
import type { ApiDeps } from './api-deps.ts';
import type { MethodHandlers } from './method-handlers.ts';
import { mayUseQueue, requireQueue } from './permission/access.ts';
import { admit, admitQueue, admitTask, admitView } from './permission/guard.ts';
import { submit, submitOne } from './submit.ts';
import * as requests from './validation/requests.ts';
import { faultNumbers, wordOf } from './wire/enums.ts';
import { itemFromWire, number } from './wire/from-wire.ts';
import {
  eventToWire,
  int64,
  submitResultToWire,
  taskToWire,
  verdictToWire,
  viewToWire,
} from './wire/to-wire.ts';
import { troubleToWire } from './wire/trouble-to-wire.ts';

type TaskFilterRequest = Pick<
  ListTasksRequest | RedriveTasksRequest,
  'queue' | 'type' | 'tag' | 'acceptedFromMs' | 'acceptedUntilMs'
>;

const hasResult = (view: TaskView): boolean => view === TaskView.RESULT || view === TaskView.FULL;

function filterOf(tenant: string, request: TaskFilterRequest): TaskFilter {
  const { queue, type, tag } = request;
  return {
    tenant,
    queue,
    type: type || undefined,
    tag: tag || undefined,
    acceptedFromMs: number(request.acceptedFromMs),
    acceptedUntilMs: number(request.acceptedUntilMs),
  };
}

function listFilterOf(tenant: string, request: ListTasksRequest): ListFilter {
  return {
    ...filterOf(tenant, request),
    state: request.retrying ? 'retrying' : wordOf(stateNumbers, request.state),
    orderingKey: request.orderingKey || undefined,
  };
}

function itemOf(item: SubmitItem | undefined): ReturnType<typeof itemFromWire> {
  return itemFromWire(item ?? create(SubmitItemSchema));
}

export function taskHandlers(deps: ApiDeps): MethodHandlers<typeof TaskService> {
  const { service, clock } = deps;
  return {
    async submitTask(request, context) {
      const { tenant, queue } = request;
      const submission = { tenant, queue, item: itemOf(request.item) };
      const { ok, tenant: owner } = await submitOne(deps, submission, context);
      const view = await service.get(owner, ok.id, false);
      return { task: viewToWire(view, false), deduplicated: ok.deduplicated };
    },
    async submitTasks({ tenant, queue, items }, context) {
      const batch = { tenant, queue, items: items.map(itemFromWire) };
      const { results } = await submit(deps, batch, context);
      return { results: results.map(submitResultToWire) };
    },
    async getTask(request, context) {
      const tenant = admit(deps, requests.getTask, 'read', request, context);
      const view = await service.get(tenant, request.id, hasResult(request.view));
      admitView(view, context);
      return { task: viewToWire(view, request.view === TaskView.FULL) };
    },
    async getTaskByKey(request, context) {
      const tenant = admit(deps, requests.getTaskByKey, 'read', request, context);
      const { queue, idempotencyKey: key } = request;
      requireQueue(context.identity, queue);
      const view = await service.getByKey({ tenant, queue, key }, hasResult(request.view));
      return { task: viewToWire(view, request.view === TaskView.FULL) };
    },
    async listTasks(request, context) {
      const tenant = admit(deps, requests.listTasks, 'read', request, context);
      requireQueue(context.identity, request.queue);
      const limit = request.pageSize || defaults.pageItems;
      const cursor = request.pageToken || undefined;
      const page = await service.list(listFilterOf(tenant, request), { limit, cursor });
      const tasks = page.items.map((snapshot) => taskToWire(snapshot));
      const { examined, examinedUntilMs } = page;
      return { tasks, nextPageToken: page.cursor ?? '', examined, examinedUntilMs: int64(examinedUntilMs) };
    },
    async getTaskHistory(request, context) {
      const tenant = admit(deps, requests.getTaskHistory, 'read', request, context);
      await admitTask(deps, tenant, request.id, context);
      const events = await service.history(tenant, request.id, request.fromVersion);
      const page = historyPage(events);
      return { events: page.map(eventToWire), hasMore: page.length < events.length };
    },
    async verifyTaskHistory(request, context) {
      const { id } = request;
      const tenant = admit(deps, requests.verifyTaskHistory, 'read', request, context);
      const { queue, events, fault } = await service.verify(tenant, id);
      admitQueue(queue.queue, id, context.identity);
      return fault === undefined
        ? { events }
        : { events, fault: faultNumbers[fault.kind], faultVersion: fault.event };
    },
    async explainTask(request, context) {
      const tenant = admit(deps, requests.explainTask, 'read', request, context);
      const { id, queue, idempotencyKey: key } = request;
      if (id === '') requireQueue(context.identity, queue);
      const explaining =
        id === '' ? service.explainByKey({ tenant, queue, key }) : service.explain(tenant, id);
      const { details, verdict } = await explaining;
      admitView(details, context);
      return {
        task: viewToWire(details, false),
        verdict: verdictToWire(verdict, request.tenant),
        atMs: int64(clock.now()),
      };
    },
    async listTrouble(request, context) {
      const tenant = admit(deps, requests.listTrouble, 'read', request, context);
      const { identity } = context;
      if (request.queue !== '') requireQueue(identity, request.queue);
      const mayRead = (queue: string): boolean => mayUseQueue(identity, queue);
      const queue = request.queue || undefined;
      return deps.troubleCalls.during(identity, async () =>
        troubleToWire(await service.trouble({ tenant, queue, mayRead }), request.tenant),
      );
    },
    async cancelTask(request, context) {
      const tenant = admit(deps, requests.cancelTask, 'submit', request, context);
      await admitTask(deps, tenant, request.id, context);
      const by = { actor: context.identity.name, message: request.reason };
      return { task: viewToWire(await service.cancel(tenant, request.id, by), false) };
    },
    async redriveTask(request, context) {
      const tenant = admit(deps, requests.redriveTask, 'submit', request, context);
      await admitTask(deps, tenant, request.id, context);
      const view = await service.redrive(tenant, request.id, context.identity.name);
      return { task: viewToWire(view, false) };
    },
    async redriveTasks(request, context) {
      const tenant = admit(deps, requests.redriveTasks, 'admin', request, context);
      requireQueue(context.identity, request.queue);
      const { examinedUntilMs, cursor, ...counts } = await service.redriveMany({
        filter: { ...filterOf(tenant, request), state: 'dead' },
        dryRun: request.dryRun,
        limit: request.limit || limits.redriveItems,
        cursor: request.pageToken || undefined,
        actor: context.identity.name,
      });
      return { ...counts, examinedUntilMs: int64(examinedUntilMs), nextPageToken: cursor ?? '' };
    },
  };
}

/**
 * Returns the first events of a task's history that fit into one response. An event's size is estimated from its
 * `message`, the only long field.
 */
function historyPage(events: readonly TaskEvent[]): readonly TaskEvent[] {
  let bytes = 0;
  let count = 0;
  for (const event of events.slice(0, limits.historyEvents)) {
    bytes += 128 + ('message' in event ? event.message.length * 3 : 0);
    if (count > 0 && bytes > limits.wireMessageBytes / 2) break;
    count++;
  }
  return events.slice(0, count);
}
