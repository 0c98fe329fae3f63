import type { TaskId } from '../../../src/ports/task-store.ts';
import type { AssignedTasks } from './assigned.ts';
import type { Begin, Ledger } from './ledger.ts';
import type { ObservedProcess } from './observed-process.ts';
import type { ShadowTask } from './shadow-task.ts';
import { type Rules, reportViolation } from './violation.ts';

export interface BeginRulesParts {
  readonly rules: Rules;
  readonly ledger: Ledger;
  readonly assigned: AssignedTasks;
  readonly tasks: ReadonlyMap<TaskId, ShadowTask>;
}

/** Checks the invariants that must hold when a handler is called, before the ledger records the call. */
export function checkBegin(
  { rules, ledger, assigned, tasks }: BeginRulesParts,
  process: ObservedProcess,
  id: TaskId,
  fencingToken: number,
): void {
  const received = assigned.get(id, fencingToken);
  const where = `${id} (${fencingToken}) in ${process.name}`;
  if (received?.recalledFor !== undefined)
    reportViolation(rules, 'nothingBeginsAfterItsRecall', `${where}, recalled: ${received.recalledFor}`);
  if (received !== undefined && process.clock.monotonic() >= received.deadlineAtMs)
    reportViolation(rules, 'nothingBeginsAfterItsRecall', `${where}, after its deadline`);
  const task = tasks.get(id);
  if (task === undefined) return;
  if (task.submission.options.retry.maxAttempts === 1) checkOnlyBegin(rules, ledger, task, fencingToken);
}

/** Checks the invariant of tasks that run alone, after the ledger has recorded the call of a handler. */
export function checkAlone({ rules, assigned }: BeginRulesParts, begun: Begin): void {
  const all = [begun, ...begun.beside];
  const alone = all.find(({ id, fencingToken }) => assigned.get(id, fencingToken)?.isAlone === true);
  if (alone !== undefined && all.length > 1)
    reportViolation(rules, 'lostTasksRunAlone', `${all.map(({ id }) => id)} in ${begun.process.name}`);
}

/** A task with one attempt begins once between its submission or redrive and its end. A snoozed task begins again. */
function checkOnlyBegin(rules: Rules, ledger: Ledger, task: ShadowTask, fencingToken: number): void {
  const era = task.claims.get(fencingToken)?.era;
  for (const earlier of ledger.ofTask(task.id)) {
    if (task.claims.get(earlier.fencingToken)?.era !== era) continue;
    reportViolation(
      rules,
      'oneAttemptBeginsOnce',
      `${task.id} begins by ${fencingToken} and began by ${earlier.fencingToken}`,
    );
  }
}
