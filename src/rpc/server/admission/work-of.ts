/** The work that the calls of the API make, as their turns count it. */
import type { DescMethodUnary } from '@bufbuild/protobuf';
import type { SubmitBatch } from '../../../core/messages.ts';
import { AdminService } from '../../gen/holdfast/v1/admin_service_pb.ts';
import { TaskService } from '../../gen/holdfast/v1/task_service_pb.ts';
import { WorkerService } from '../../gen/holdfast/v1/worker_service_pb.ts';
import type { Work } from './turns.ts';

/** A commit has 8 MiB or 4,096 tasks at most, so that this many bytes count as much as a task. */
const unitBytes = 2_048;

/** Returns the work of a call that makes this many reads of the store at the same time until it has ended. */
const reading = (units: number, held = 1): Work => ({ units, room: 'reading', held });
const inTurns = (units: number): Work => ({ units, room: undefined, held: 0 });
const storing = (units: number): Work => ({ units, room: 'storing', held: units });
/**
 * The most work that a call begins with: a list examines up to 1,000 tasks, and a task may have 512 KiB. A list of trouble
 * examines up to 10,000 and a redrive 20,000, page by page: each counts as a whole turn, the most that a call may count.
 */
const units: ReadonlyMap<DescMethodUnary, Work> = new Map<DescMethodUnary, Work>([
  [TaskService.method.getTask, reading(64)],
  [TaskService.method.getTaskByKey, reading(64)],
  [TaskService.method.listTasks, reading(1_024)],
  [TaskService.method.getTaskHistory, reading(32)],
  [TaskService.method.verifyTaskHistory, reading(32)],
  [TaskService.method.explainTask, reading(320, 4)],
  [TaskService.method.listTrouble, reading(4_096, 4)],
  [TaskService.method.redriveTasks, reading(4_096, 4)],
  [TaskService.method.submitTask, storing(1)],
  [AdminService.method.listQueues, reading(256)],
  [AdminService.method.listWorkers, reading(256)],
  // It may wait 20 s for a task, and holds no read meanwhile.
  [WorkerService.method.claimTasks, inTurns(32)],
]);
const few = inTurns(4);
/** Heartbeats and settlements have turns of their own, `ReportTurns`: a lease that is not renewed in time would run a task again. */
const urgent: ReadonlySet<DescMethodUnary> = new Set<DescMethodUnary>([
  WorkerService.method.heartbeat,
  WorkerService.method.succeedTask,
  WorkerService.method.failTask,
]);

/** Returns the work of a call, or undefined if the call takes no turn. */
export function workOf(method: DescMethodUnary): Work | undefined {
  return urgent.has(method) ? undefined : (units.get(method) ?? few);
}

export function workOfBatch({ items }: SubmitBatch): Work {
  let all = 0;
  for (const { spec } of items) all += Math.max(1, Math.ceil(spec.length / unitBytes));
  return storing(all);
}

/** Returns how much work the server has to begin a stream that watches this many tasks. */
export function workOfWatch(tasks: number): Work {
  return inTurns(2 * tasks);
}
