import type { MessageShape } from '@bufbuild/protobuf';
import { create, type DescMessage, type MessageInitShape } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { UpdateQueueRequestSchema } from '../../gen/holdfast/v1/admin_service_pb.ts';
import {
  CancelTaskRequestSchema,
  ExplainTaskRequestSchema,
  GetTaskByKeyRequestSchema,
  GetTaskRequestSchema,
  ListTasksRequestSchema,
  RedriveTasksRequestSchema,
  WatchTasksRequestSchema,
} from '../../gen/holdfast/v1/task_service_pb.ts';
import { ClaimTasksRequestSchema } from '../../gen/holdfast/v1/worker_service_pb.ts';
import * as requests from './requests.ts';
import { type Check, validateItem } from './validate.ts';

/** Returns the violations of a request, which is built from its schema and the given fields. */
function violationsOf<S extends DescMessage>(
  schema: S,
  check: Check<MessageShape<S>>,
  message: MessageInitShape<S>,
): string[] {
  const error = validateItem(check, create(schema, message), '', 0);
  return (error?.violations ?? []).map((v) => `${v.field}: ${v.description}`);
}

const claim = { workerName: 'w', workerId: 'i', queues: ['q'], types: [{ type: 't' }] };

describe('a request', () => {
  it.each<[string, string[], string[]]>([
    [
      'to read a task without an id',
      violationsOf(GetTaskRequestSchema, requests.getTask, {}),
      ['id: is missing'],
    ],
    [
      'to read a task with an id of 256 characters',
      violationsOf(GetTaskRequestSchema, requests.getTask, { id: 'i'.repeat(256) }),
      ['id: has 256 characters; at most 255'],
    ],
    [
      'to read a task by its idempotency key without a queue and a key',
      violationsOf(GetTaskByKeyRequestSchema, requests.getTaskByKey, {}),
      ['queue: is missing', 'idempotencyKey: is missing'],
    ],
    [
      'to list 101 tasks in one page',
      violationsOf(ListTasksRequestSchema, requests.listTasks, { queue: 'q', pageSize: 101 }),
      ['pageSize: is 101; a whole number from 0 to 100 tasks'],
    ],
    [
      'to list tasks of an unknown state',
      violationsOf(ListTasksRequestSchema, requests.listTasks, { queue: 'q', state: 99 as never }),
      ['state: is 99; unknown to this version'],
    ],
    [
      'to list tasks by both a state and retrying',
      violationsOf(ListTasksRequestSchema, requests.listTasks, { queue: 'q', state: 2, retrying: true }),
      ['retrying: is given together with state; give one of them'],
    ],
    [
      'to list tasks by a tag of 65 bytes',
      violationsOf(ListTasksRequestSchema, requests.listTasks, { queue: 'q', tag: 't'.repeat(65) }),
      ['tag: has more than 64 bytes'],
    ],
    [
      'to list tasks from a time before the epoch',
      violationsOf(ListTasksRequestSchema, requests.listTasks, { queue: 'q', acceptedFromMs: -1n }),
      ['acceptedFromMs: is -1; milliseconds since the epoch'],
    ],
    [
      'to list tasks until a time above 2^53',
      violationsOf(ListTasksRequestSchema, requests.listTasks, { queue: 'q', acceptedUntilMs: 2n ** 60n }),
      [`acceptedUntilMs: is ${2n ** 60n}; milliseconds since the epoch`],
    ],
    [
      'to list tasks with a pageToken of 1,025 characters',
      violationsOf(ListTasksRequestSchema, requests.listTasks, { queue: 'q', pageToken: 'c'.repeat(1_025) }),
      ['pageToken: has 1,025 characters; at most 1,024'],
    ],
    [
      'to explain no task',
      violationsOf(ExplainTaskRequestSchema, requests.explainTask, {}),
      ['id: is missing'],
    ],
    [
      'to explain the task of a key without its queue',
      violationsOf(ExplainTaskRequestSchema, requests.explainTask, { idempotencyKey: 'k' }),
      ['queue: is missing'],
    ],
    [
      'to explain a task by its id and by its key',
      violationsOf(ExplainTaskRequestSchema, requests.explainTask, {
        id: 'i',
        queue: 'q',
        idempotencyKey: 'k',
      }),
      ['id: is given together with queue or idempotency_key; give the id, or both of these'],
    ],
    [
      'to redrive 1,001 tasks',
      violationsOf(RedriveTasksRequestSchema, requests.redriveTasks, { queue: 'q', limit: 1_001 }),
      ['limit: is 1001; a whole number from 0 to 1,000 tasks'],
    ],
    [
      'to cancel a task with a reason of 1,025 characters',
      violationsOf(CancelTaskRequestSchema, requests.cancelTask, { id: 'i', reason: 'r'.repeat(1_025) }),
      ['reason: has 1,025 characters; at most 1,024'],
    ],
    [
      'to watch no task',
      violationsOf(WatchTasksRequestSchema, requests.watchTasks, {}),
      ['tasks: has 0 tasks; at least 1'],
    ],
    [
      'to watch 257 tasks',
      violationsOf(WatchTasksRequestSchema, requests.watchTasks, { tasks: Array(257).fill({ id: 'i' }) }),
      ['tasks: has 257 tasks; at most 256'],
    ],
    [
      'to watch a task without an id',
      violationsOf(WatchTasksRequestSchema, requests.watchTasks, { tasks: [{ id: 'i' }, {}] }),
      ['tasks[1].id: is missing'],
    ],
    [
      'to claim 101 tasks',
      violationsOf(ClaimTasksRequestSchema, requests.claimTasks, { ...claim, maxTasks: 101 }),
      ['maxTasks: is 101; a whole number from 0 to 100 tasks'],
    ],
    [
      'to wait longer than 20 s for a task',
      violationsOf(ClaimTasksRequestSchema, requests.claimTasks, { ...claim, waitMs: 20_001n }),
      ['waitMs: is 20001 ms; a whole number of ms from 0 ms to 20 s'],
    ],
    [
      'to claim tasks with a request id of 65 characters',
      violationsOf(ClaimTasksRequestSchema, requests.claimTasks, { ...claim, requestId: 'r'.repeat(65) }),
      ['requestId: has 65 characters; at most 64'],
    ],
    [
      'to set onDead of a queue to an unknown value',
      violationsOf(UpdateQueueRequestSchema, requests.updateQueue, { name: 'q', onDead: 9 as never }),
      ['onDead: is 9; unknown to this version'],
    ],
  ])('%s is refused', (_what, violations, expected) => {
    expect(violations).toEqual(expected);
  });
});
