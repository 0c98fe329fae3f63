import { limits } from '../../../core/limits.ts';

/** The largest sum of payload bytes that one worker may hold: 64 MiB, enough for hundreds of large payloads. */
const bytesMax = 67_108_864;

/** A number of tasks, and the sum of their payload bytes. */
export interface Capacity {
  readonly tasks: number;
  readonly bytes: number;
}

/** The time from one hello message of a session to the next. Credits that settlements return count within it alone. */
export interface CreditPeriod {
  /** Empty if settlements return no credit. */
  readonly sessionId: string;
  /** The number of hello messages that the worker has sent on the session's work stream. */
  readonly hellos: number;
}

/** The period of settlements that return no credit. */
export const noPeriod: CreditPeriod = { sessionId: '', hellos: 0 };

/**
 * The worker's count of the credit that the server holds: the tasks and bytes that the server may still assign. A
 * settlement returns the credit of its task. If the worker holds more tasks than it wants, it sends the settlement
 * without a session, and that credit is given up.
 */
export class Credits {
  #tasks = 0;
  #bytes = 0;

  /** Sets the credit at the start of a work stream or after a new hello message. */
  reset(amount: Capacity): void {
    this.#tasks = amount.tasks;
    this.#bytes = amount.bytes;
  }

  /** Subtracts the credit that the server has used by assigning tasks. */
  used(tasks: number, bytes: number): void {
    this.#tasks -= tasks;
    this.#bytes -= bytes;
  }

  /** Adds the credit that settlements have returned to the server. */
  returned(tasks: number, bytes: number): void {
    this.#tasks += tasks;
    this.#bytes += bytes;
  }

  /** Returns how many more tasks the worker could get than it wants; negative if it could get fewer. */
  excess(wanted: number, held: number): number {
    return this.#tasks + held - wanted;
  }

  /** Returns how many more bytes the worker could get than it can hold; negative if it could get fewer. */
  excessBytes(heldBytes: number): number {
    return this.#bytes + heldBytes - bytesMax;
  }

  /** Returns how much of the excess the server holds as credit, so that the worker can take it back. */
  surplus(wanted: number, held: number): number {
    return Math.min(this.#tasks, this.excess(wanted, held));
  }

  /**
   * Returns the credit to send so that the server can fill this capacity, and counts it as sent. Returns undefined if
   * no credit is missing, or only a few bytes. The count is negative if tasks were on their way when a hello message took
   * credit back; the server's count is as much below zero.
   */
  missing(capacity: Capacity): Capacity | undefined {
    const tasks = Math.max(0, capacity.tasks - this.#tasks);
    const bytes = Math.max(0, capacity.bytes - this.#bytes);
    if (tasks === 0 && bytes < bytesMax / 4) return undefined;
    this.#tasks += tasks;
    this.#bytes += bytes;
    return { tasks, bytes };
  }
}

/** Returns the tasks and bytes that a worker can take in addition to the tasks that it holds. */
export function capacityFor(wanted: number, heldTasks: number, heldBytes: number): Capacity {
  return {
    tasks: Math.min(limits.inFlightTasks, Math.max(0, wanted - heldTasks)),
    bytes: wanted === 0 ? 0 : Math.max(0, bytesMax - heldBytes),
  };
}
