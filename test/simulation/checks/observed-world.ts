import type { TaskId } from '../../../src/ports/task-store.ts';
import type { Features } from '../features.ts';
import type { AssignedTasks } from './assigned.ts';
import type { ShadowTask } from './shadow-task.ts';
import type { Rules } from './violation.ts';

/** The parts of a simulated cluster that the invariants look at after each event and each begin. */
export interface ObservedWorld {
  readonly features: Features;
  readonly rules: Rules;
  readonly elapsedMs: number;
  readonly shadow: { readonly tasks: ReadonlyMap<TaskId, ShadowTask> };
  readonly assigned: AssignedTasks;
}
