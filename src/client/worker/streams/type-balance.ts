import type { TypeCredit } from '../../../core/messages.ts';
import { maxPrefetch, Prefetch } from './prefetch.ts';

/** The credit of one task type whose limit is below the worker's concurrency. */
interface Balance {
  readonly type: string;
  readonly limit: number;
  readonly prefetch: Prefetch;
  /** The number of tasks of this type that the server may still assign. */
  credits: number;
  /** The number of tasks of this type that the worker holds: waiting, running, or with an unanswered settlement. */
  held: number;
  /** Returns the number of held tasks that wait to run alone while the worker begins others. */
  readonly beside: () => number;
}

/**
 * The credit of each task type that has a limit of its own. The worker wants as many tasks of a type as its limit, and as
 * many more as it begins within a second, and never more: other tasks would wait in the worker beside free slots.
 */
export class TypeBalance {
  readonly #byType = new Map<string, Balance>();

  constructor(
    limits: ReadonlyMap<string, number>,
    prefetches: boolean,
    besideOf: (type: string) => number = () => 0,
  ) {
    for (const [type, limit] of limits)
      this.#byType.set(type, {
        type,
        limit,
        prefetch: new Prefetch(limit, 0, prefetches ? maxPrefetch : 0),
        credits: 0,
        held: 0,
        beside: () => besideOf(type),
      });
  }

  /** Counts a task that was assigned; `current` means the same as for `CreditBalance.assigned`. */
  assigned(type: string, current: boolean): void {
    const balance = this.#byType.get(type);
    if (balance === undefined) return;
    balance.held++;
    if (current) balance.credits--;
  }

  /** Stops counting tasks that the worker no longer holds. */
  dropped(tasks: Iterable<{ readonly type: string }>): void {
    for (const { type } of tasks) {
      const balance = this.#byType.get(type);
      if (balance !== undefined) balance.held--;
    }
  }

  /** Counts the credits that settlements have returned to the server. */
  returned(tasks: Iterable<{ readonly type: string }>): void {
    for (const { type } of tasks) {
      const balance = this.#byType.get(type);
      if (balance !== undefined) balance.credits++;
    }
  }

  begun(type: string, nowMs: number): void {
    this.#byType.get(type)?.prefetch.begun(nowMs);
  }

  /** Records that an attempt has ended. Returns true if the worker now wants more tasks of its type. */
  ended(type: string, durationMs: number, nowMs: number): boolean {
    return this.#byType.get(type)?.prefetch.ended(durationMs, nowMs) ?? false;
  }

  adapt(nowMs: number): void {
    for (const { prefetch } of this.#byType.values()) prefetch.adapt(nowMs);
  }

  /** Returns true if the server would get more credit than the worker wants if these tasks returned theirs. */
  exceeds(tasks: Iterable<{ readonly type: string }>): boolean {
    for (const { type } of tasks) {
      const balance = this.#byType.get(type);
      if (balance !== undefined && excessOf(balance) > 0) return true;
    }
    return false;
  }

  /** Returns true if the server holds more credit of a type than the worker wants now. */
  get hasSurplus(): boolean {
    for (const balance of this.#byType.values())
      if (Math.min(balance.credits, excessOf(balance)) > 0) return true;
    return false;
  }

  /** Sets and returns the credits of a hello message. If the worker is stopped, no type has any. */
  reset(stopped: boolean): TypeCredit[] {
    return [...this.#byType.values()].map((balance) => {
      balance.credits = stopped ? 0 : Math.max(0, wantedOf(balance) - balance.held);
      return { type: balance.type, tasks: balance.credits };
    });
  }

  /** Returns the credits to send so that the worker gets all tasks that it wants, and counts them as sent. */
  missing(): TypeCredit[] {
    const missing: TypeCredit[] = [];
    for (const balance of this.#byType.values()) {
      const tasks = -excessOf(balance);
      if (tasks <= 0) continue;
      balance.credits += tasks;
      missing.push({ type: balance.type, tasks });
    }
    return missing;
  }
}

function wantedOf({ limit, prefetch, beside }: Balance): number {
  return limit + prefetch.tasks + beside();
}

/** Returns how many more tasks of a type the worker could get than it wants; negative if it could get fewer. */
function excessOf(balance: Balance): number {
  return balance.credits + balance.held - wantedOf(balance);
}
