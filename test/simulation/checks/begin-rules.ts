import type { TaskId } from '../../../src/ports/task-store.ts';
import type { SimProcess } from '../network/process.ts';
import type { AssignedTasks } from './assigned.ts';
import type { Ledger } from './ledger.ts';
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
  process: SimProcess,
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
  const running = ledger.runningIn(process);
  const isBesideAlone = [...running].some(({ id: other, fencingToken: token }) =>
    isAlone(assigned, other, token),
  );
  if (isBesideAlone || (isAlone(assigned, id, fencingToken) && running.size > 0))
    reportViolation(rules, 'lostTasksRunAlone', `${where} beside ${[...running].map((one) => one.id)}`);
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

function isAlone(assigned: AssignedTasks, id: TaskId, fencingToken: number): boolean {
  return assigned.get(id, fencingToken)?.isAlone === true;
}
