import type { DiedEvent, LeaseExpiredEvent, TaskEvent } from '../../../src/core/task/event.ts';
import type { Head } from '../../../src/core/task/head.ts';
import type { AssignedTasks } from './assigned.ts';
import type { Ledger } from './ledger.ts';
import type { ShadowTask } from './shadow-task.ts';
import { type Rules, reportViolation } from './violation.ts';

/** The begin of the message of an attempt that reached its timeout without a report of its worker. */
const timeoutMessage = 'the attempt did not end within its timeout';

export interface AttemptRulesParts extends Rules {
  readonly ledger: Ledger;
  readonly assigned: AssignedTasks;
}

/**
 * Compares the events that end a lease with the ledger of the handlers: an attempt is used, and a loss is counted, only
 * if the handler was called, or if no server could know that it was not.
 */
export class AttemptRules {
  readonly #rules: AttemptRulesParts;

  constructor(rules: AttemptRulesParts) {
    this.#rules = rules;
  }

  /** Checks an event of a task. `before` and `after` are the heads around it, computed from the events. */
  check(task: ShadowTask, before: Head, event: TaskEvent, after: Head): void {
    if (event.kind === 'redriven') task.used = 0;
    if (event.kind === 'died') this.#checkDeath(task, before, event);
    if (before.state !== 'running' || after.state === 'running') return;
    if (event.kind === 'leaseExpired') this.#checkLoss(task, before, event);
    if (event.kind === 'leaseExpired' || event.kind === 'claimReleased' || event.kind === 'snoozed') {
      if (after.attempt >= before.attempt)
        this.#violated('onlyBegunAttemptsAreUsed', `${event.kind} of ${task.id} uses its attempt`);
      return;
    }
    // The count of a task that ended otherwise means nothing: it is never tried again.
    const isUsed = event.kind === 'failed' || (event.kind === 'died' && isTried(event));
    if (!isUsed) return;
    task.used++;
    const isUnreported = 'message' in event && event.message.startsWith(timeoutMessage);
    if (this.#hasBegun(task, before) || (isUnreported && this.#couldHaveBegun(task, before))) return;
    this.#violated('onlyBegunAttemptsAreUsed', `${event.kind} of ${task.id}, whose handler was not called`);
  }

  #checkLoss(task: ShadowTask, before: Head, { begun, countsAsLoss }: LeaseExpiredEvent): void {
    if (!countsAsLoss || this.#hasBegun(task, before) || this.#couldHaveBegun(task, before)) return;
    if (begun !== 'unknown')
      this.#violated('onlyBegunLossesCount', `${task.id} lost a worker that had not begun it`);
  }

  #checkDeath(task: ShadowTask, before: Head, event: DiedEvent): void {
    const { maxAttempts } = task.submission.options.retry;
    if (event.reason === 'attempts' && task.used + (before.state === 'running' ? 1 : 0) < maxAttempts)
      this.#violated(
        'attemptsAreBounded',
        `${task.id} is dead after ${task.used} of ${maxAttempts} attempts`,
      );
    if (event.reason !== 'workerLost') return;
    const begun = this.#rules.ledger.get(task.id, before.fencingToken);
    if (begun === undefined) {
      if (!this.#couldHaveBegun(task, before))
        this.#violated('tasksDieByTheirOwnCrash', `${task.id} is dead and was not running`);
      return;
    }
    // A task with one attempt must not begin again, even if another task ended its process.
    if (maxAttempts === 1) return;
    if (before.losses < task.submission.options.maxLosses)
      this.#violated('tasksDieByTheirOwnCrash', `${task.id} is dead after ${before.losses} losses`);
    // A worker that claims by calls decides itself what it runs beside a task.
    if (this.#rules.assigned.get(task.id, before.fencingToken) !== undefined && begun.beside.size > 0)
      this.#violated('tasksDieByTheirOwnCrash', `${task.id} is dead and did not run alone`);
  }

  #hasBegun(task: ShadowTask, { fencingToken }: Head): boolean {
    return this.#rules.ledger.get(task.id, fencingToken) !== undefined;
  }

  /**
   * Returns true if the handler may have been called although it was not: the worker begins at once what it claims, and
   * the assignment was lost, or the worker reported the begin and was lost before it could call the handler.
   */
  #couldHaveBegun(task: ShadowTask, { fencingToken }: Head): boolean {
    const claim = task.claims.get(fencingToken);
    const isReported = this.#rules.assigned.get(task.id, fencingToken)?.isReported === true;
    return claim !== undefined && (claim.begins || claim.isBegunStored || isReported);
  }

  #violated(invariant: string, message: string): void {
    reportViolation(this.#rules, invariant, message);
  }
}

/** Returns true if the task died because of its attempts, not because of its time or its workers. */
function isTried({ reason }: DiedEvent): boolean {
  return reason === 'attempts' || reason === 'fatal';
}
