/**
 * The validation rules of the generated protobuf requests, one table per message. The tables of the messages that the
 * core's own codec decodes are in tables.ts.
 */
import { limits } from '../../../core/limits.ts';
import { count, duration, enumOf, name, text, time, utf8, whole } from '../../../core/rules.ts';
import type {
  GetQueueRequest,
  ListQueuesRequest,
  ListWorkersRequest,
  PauseQueueRequest,
  ResumeQueueRequest,
  UpdateQueueRequest,
} from '../../gen/holdfast/v1/admin_service_pb.ts';
import { OnDead } from '../../gen/holdfast/v1/admin_service_pb.ts';
import { TaskState, TaskView } from '../../gen/holdfast/v1/task_pb.ts';
import type {
  CancelTaskRequest,
  ExplainTaskRequest,
  GetTaskByKeyRequest,
  GetTaskHistoryRequest,
  GetTaskRequest,
  ListTasksRequest,
  ListTroubleRequest,
  RedriveTaskRequest,
  RedriveTasksRequest,
  VerifyTaskHistoryRequest,
  WatchTaskRequest,
  WatchTasksRequest,
} from '../../gen/holdfast/v1/task_service_pb.ts';
import type { ClaimTasksRequest } from '../../gen/holdfast/v1/worker_service_pb.ts';
import { queue, taskId, tenant, worker } from './tables.ts';
import { type Check, field, list, message } from './validate.ts';

const byId = { id: taskId, tenant } as const;
const range = { acceptedFromMs: field(time), acceptedUntilMs: field(time) } as const;
const pageToken = field(text(limits.cursorChars));
const view = field(enumOf(TaskView));
const type = field(name('optional'));
const tag = field(utf8(limits.tagBytes, 'optional'));
const key = field(text(limits.keyChars, 'required'));
const explainByKey = message<ExplainTaskRequest>({ tenant, queue, idempotencyKey: key });
const explainById = message<ExplainTaskRequest>(byId, ({ queue, idempotencyKey }, at, findings) => {
  if (queue !== '' || idempotencyKey !== '')
    findings.add(at, 'id', 'is given together with queue or idempotency_key; give the id, or both of these');
});

export const getTask = message<GetTaskRequest>({ ...byId, view });
export const getTaskByKey = message<GetTaskByKeyRequest>({
  tenant,
  queue,
  idempotencyKey: key,
  view,
});
export const getTaskHistory = message<GetTaskHistoryRequest>(byId);
export const verifyTaskHistory = message<VerifyTaskHistoryRequest>(byId);
export const explainTask: Check<ExplainTaskRequest> = (request, at, name, findings) => {
  const byOneKey = request.id === '' && (request.queue !== '' || request.idempotencyKey !== '');
  (byOneKey ? explainByKey : explainById)(request, at, name, findings);
};
export const listTrouble = message<ListTroubleRequest>({ tenant, queue: field(name('optional')) });
export const cancelTask = message<CancelTaskRequest>({ ...byId, reason: field(text(limits.reasonChars)) });
export const redriveTask = message<RedriveTaskRequest>(byId);

export const listTasks = message<ListTasksRequest>(
  {
    tenant,
    queue,
    state: field(enumOf(TaskState)),
    type,
    tag,
    orderingKey: field(text(limits.keyChars)),
    ...range,
    pageSize: field(whole(0, limits.pageItems, 'tasks')),
    pageToken,
  },
  ({ retrying, state }, at, findings) => {
    if (retrying && state !== TaskState.UNSPECIFIED) {
      findings.add(at, 'retrying', 'is given together with state; give one of them');
    }
  },
);
export const redriveTasks = message<RedriveTasksRequest>({
  tenant,
  queue,
  type,
  tag,
  ...range,
  limit: field(whole(0, limits.redriveItems, 'tasks')),
  pageToken,
});

export const watchTask = message<WatchTaskRequest>(byId);
export const watchTasks = message<WatchTasksRequest>({
  tasks: list(count(1, limits.watchedTasks, 'tasks'), watchTask),
  tenant,
});

export const claimTasks = message<ClaimTasksRequest>({
  ...worker,
  maxTasks: field(whole(0, limits.batchItems, 'tasks')),
  waitMs: field(duration(0, limits.claimWaitMs)),
  requestId: field(text(limits.requestIdChars)),
});

const named = { tenant, name: queue } as const;
export const listQueues = message<ListQueuesRequest>({ tenant });
export const getQueue = message<GetQueueRequest>(named);
export const updateQueue = message<UpdateQueueRequest>({ ...named, onDead: field(enumOf(OnDead)) });
export const pauseQueue = message<PauseQueueRequest>({
  ...named,
  reason: field(text(limits.reasonChars)),
  untilMs: field(time),
});
export const resumeQueue = message<ResumeQueueRequest>(named);
export const listWorkers = message<ListWorkersRequest>({ tenant, queue: field(name('optional')) });
