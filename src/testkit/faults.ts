import type { AttemptContext } from '../client/context.ts';
import type { TaskType } from '../client/contract/task.ts';
import type { HoldfastError } from '../core/errors.ts';
import { requireValid, whole } from '../core/rules.ts';
import type { Submissions } from './submissions.ts';
import type { LostLeases } from './worker/lost-leases.ts';

/** The faults that a kit causes on request. */
export interface TestFaults {
  /**
   * Kills the worker as SIGKILL does, and starts another one. The tasks of its attempts run again when their leases have
   * expired, half a minute of virtual time later. JavaScript cannot stop a function that runs: the handlers of the killed
   * worker go on, but nothing that they return is recorded.
   */
  crashWorker(): Promise<void>;
  /**
   * Lets the attempts in progress lose their leases, or if there is none the next attempt, of one task type if it is given.
   * Half a minute of virtual time later the task is given to a worker again, while the first handler may still run: its
   * signal is aborted with the kind `lease-lost`.
   */
  loseLease(task?: Pick<TaskType, 'name'>): void;
  /**
   * Delivers the task of the next attempt whose handler returns a second time, of one task type if it is given: the worker
   * crashes after the handler has done its work and before the outcome is recorded.
   */
  duplicateDelivery(task?: Pick<TaskType, 'name'>): void;
  /**
   * Refuses the next submissions, of the test's client and of handlers alike.
   *
   * @param options.times The number of submissions, a whole number from 0. Default: 1.
   * @param options.error The error that the submitter gets. Default: UNAVAILABLE, reason UNREACHABLE.
   */
  refuseSubmissions(options?: {
    readonly times?: number | undefined;
    readonly error?: HoldfastError | undefined;
  }): void;
}

/** A fault that was requested and has not happened yet. `type` is undefined for any task type. */
interface Request {
  readonly type: string | undefined;
}

const timesRule = whole(0, Number.POSITIVE_INFINITY);

/** Keeps the requested faults until an attempt meets them. */
export class FaultRequests {
  readonly #leases: Request[] = [];
  readonly #deliveries: Request[] = [];
  readonly #lostLeases: LostLeases;

  constructor(lostLeases: LostLeases) {
    this.#lostLeases = lostLeases;
  }

  loseNextLease(type: string | undefined): void {
    this.#leases.push({ type });
  }

  duplicateNext(type: string | undefined): void {
    this.#deliveries.push({ type });
  }

  onBegun({ id, type }: AttemptContext): void {
    if (take(this.#leases, type)) this.#lostLeases.lose(id);
  }

  /** Returns true if the task of this attempt, whose handler has returned, is to be delivered again. */
  isDuplicated({ type }: AttemptContext): boolean {
    return take(this.#deliveries, type);
  }
}

function take(requests: Request[], type: string): boolean {
  const at = requests.findIndex((one) => one.type === undefined || one.type === type);
  if (at >= 0) requests.splice(at, 1);
  return at >= 0;
}

export interface FaultParts {
  readonly requests: FaultRequests;
  readonly lostLeases: LostLeases;
  readonly submissions: Submissions;
  readonly crashWorker: () => Promise<void>;
  /** Returns the ids of the tasks of a type, or of all types, that have an attempt in progress. */
  readonly inProgress: (type: string | undefined) => readonly string[];
}

export function testFaults(parts: FaultParts): TestFaults {
  const { crashWorker, inProgress, lostLeases, requests, submissions } = parts;
  return {
    crashWorker,
    loseLease(task) {
      const ids = inProgress(task?.name);
      if (ids.length === 0) requests.loseNextLease(task?.name);
      for (const id of ids) lostLeases.lose(id);
    },
    duplicateDelivery: (task) => requests.duplicateNext(task?.name),
    refuseSubmissions({ times = 1, error } = {}) {
      requireValid('times', timesRule, times);
      submissions.refuse(times, error);
    },
  };
}
