import { limits } from '../../core/limits.ts';
import type { Assignment, HandledTypeMessage, TypeCredit } from '../../core/messages.ts';
import type { Submission } from '../../core/submission/submission.ts';
import type { Delivery } from '../../ports/broker.ts';
import type { ReservedTask } from './sessions.ts';

/** The initial credits of a worker, as its hello message gives them. */
export interface HelloCredits {
  readonly tasks: number;
  readonly bytes: number;
  readonly types: readonly HandledTypeMessage[];
}

/** Tasks that are being claimed for a worker and use its credits. */
export interface ClaimedCredits {
  readonly tasks: number;
  readonly bytes: number;
  /** The type of each of the tasks; empty if no type of the worker has a limit of its own. */
  readonly types: readonly string[];
}

/** Tasks that were sent to a worker and that it had not received when it sent its last message. */
export interface UnreceivedTasks {
  readonly tasks: number;
  readonly bytes: number;
  ofType(type: string): number;
}

/** The credits for tasks of one type that has a limit of its own. */
interface TypeCredits {
  tasks: number;
  /** The number of tasks of this type that are being claimed for the worker and have not been sent to it yet. */
  claiming: number;
  /** True if a receive call left tasks of this type because the worker had no room for them. */
  isLacking: boolean;
}

const noTypes: readonly string[] = [];

/** Returns the payload bytes of the deliveries that carry a snapshot. The others are known only once they are claimed. */
export function knownSpecBytesOf(deliveries: readonly Delivery[]): number {
  let bytes = 0;
  for (const { snapshot } of deliveries) bytes += snapshot?.submission.spec.length ?? 0;
  return bytes;
}

/**
 * The credits of one worker's session: how many tasks and payload bytes the worker may still be assigned, in all and of
 * each task type that has a limit of its own. A claim uses credits when it begins. A claim that fails, a settlement on
 * this node and a message of the worker give credits back.
 */
export class SessionCredits {
  #tasks: number;
  #bytes: number;
  #claimingTasks = 0;
  #claimingBytes = 0;
  #isRefilled = false;
  /** The credits of each type with a limit of its own; undefined if there is no such type. */
  readonly #ofType: ReadonlyMap<string, TypeCredits> | undefined;
  /**
   * Returns how many more tasks of a type the worker may be assigned, for a receive call that decides whether to take a
   * task of this type. Undefined if no type has a limit of its own.
   */
  readonly roomOfType: ((type: string) => number) | undefined;

  constructor(hello: HelloCredits) {
    this.#tasks = hello.tasks;
    this.#bytes = hello.bytes;
    const limited = hello.types.filter(({ tasks }) => tasks !== undefined);
    if (limited.length === 0) return;
    const fresh = (tasks = 0): TypeCredits => ({ tasks, claiming: 0, isLacking: false });
    this.#ofType = new Map(limited.map(({ type, tasks }) => [type, fresh(tasks)]));
    this.roomOfType = (type) => this.#roomOf(type);
  }

  /** The number of tasks that the worker may be assigned now. The worker may have given more: they are counted. */
  get tasks(): number {
    return Math.min(this.#tasks, limits.inFlightTasks);
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** True if at least one type of the worker has a limit of its own. */
  get limitsTypes(): boolean {
    return this.#ofType !== undefined;
  }

  /** Returns true if the worker may be assigned another task of this type, as far as the type's own limit says. */
  admits(type: string): boolean {
    return (this.#ofType?.get(type)?.tasks ?? 1) > 0;
  }

  /** Returns how many more tasks of this type the worker may be assigned, as far as the type's own limit says. */
  tasksOf(type: string): number {
    const tasks = this.#ofType?.get(type)?.tasks ?? limits.inFlightTasks;
    return Math.max(0, Math.min(tasks, limits.inFlightTasks));
  }

  /**
   * Returns the credits that the claims of these deliveries use. A payload's size is known before the claim only if the
   * delivery carries a snapshot; other payloads are subtracted from the byte credits after the claim.
   */
  of(deliveries: readonly Delivery[]): ClaimedCredits {
    const bytes = knownSpecBytesOf(deliveries);
    const types = this.limitsTypes ? deliveries.map(({ message }) => message.type) : noTypes;
    return { tasks: deliveries.length, bytes, types };
  }

  /** Uses the credits of one task that is claimed in the commit that accepts it. */
  reserve({ type, spec }: Submission): void {
    this.#begin(1, spec.length);
    this.#beginOfType(type);
  }

  /** Gives the credits of a reserved task back if the task was not claimed. */
  reservedEnds({ submission, assignment }: ReservedTask): void {
    const { type, spec } = submission;
    this.#claimingTasks--;
    this.#claimingBytes -= spec.length;
    this.#endOfType(type);
    if (assignment === undefined) {
      this.#addTotal(1, spec.length);
      this.#addOfType(type, 1);
    }
  }

  /** Returns the credits that claims of these deliveries did not use, since only the assigned tasks were claimed. */
  leftOf(
    begun: ClaimedCredits,
    deliveries: readonly Delivery[],
    assigned: readonly Assignment[],
  ): ClaimedCredits {
    let { bytes } = begun;
    for (const { spec } of assigned) bytes -= spec.length;
    const tasks = begun.tasks - assigned.length;
    if (tasks === 0 || !this.limitsTypes) return { tasks, bytes, types: noTypes };
    const claimed = new Set(assigned.map(({ id }) => id));
    const unclaimed = deliveries.filter(({ message }) => !claimed.has(message.id));
    return { tasks, bytes, types: unclaimed.map(({ message }) => message.type) };
  }

  /** Uses credits for tasks whose claim begins. */
  claimBegins({ tasks, bytes, types }: ClaimedCredits): void {
    this.#begin(tasks, bytes);
    for (const type of types) this.#beginOfType(type);
  }

  /** Records that a claim has ended, and gives back the credits that it did not use (`left`). */
  claimEnds(begun: ClaimedCredits, left: ClaimedCredits): void {
    this.#claimingTasks -= begun.tasks;
    this.#claimingBytes -= begun.bytes;
    for (const type of begun.types) this.#endOfType(type);
    this.#addTotal(left.tasks, left.bytes);
    for (const type of left.types) this.#addOfType(type, 1);
  }

  add(tasks: number, bytes: number, types: readonly TypeCredit[]): void {
    this.#addTotal(tasks, bytes);
    for (const one of types) this.#addOfType(one.type, one.tasks);
  }

  /**
   * Replaces all credits by those of a repeated hello message. The worker did not know of the tasks that are being
   * claimed for it, nor of those that were still on their way to it when it sent the message; they use the new credits.
   * Which types have a limit of their own is decided by the first hello message.
   */
  reset(hello: HelloCredits, unreceived: UnreceivedTasks): void {
    this.#tasks = hello.tasks - this.#claimingTasks - unreceived.tasks;
    this.#bytes = hello.bytes - this.#claimingBytes - unreceived.bytes;
    for (const { type, tasks = limits.inFlightTasks } of hello.types) {
      const credits = this.#ofType?.get(type);
      if (credits === undefined) continue;
      credits.tasks = 0;
      this.#addOfType(type, tasks - credits.claiming - unreceived.ofType(type));
    }
  }

  /**
   * Returns true if a type that lacked room for a receive call has room again. A repeated call returns false until that
   * happens again.
   */
  takeRefilled(): boolean {
    const isRefilled = this.#isRefilled;
    this.#isRefilled = false;
    return isRefilled;
  }

  #roomOf(type: string): number {
    const credits = this.#ofType?.get(type);
    if (credits === undefined) return limits.inFlightTasks;
    if (credits.tasks <= 0) credits.isLacking = true;
    return Math.max(0, Math.min(credits.tasks, limits.inFlightTasks));
  }

  #begin(tasks: number, bytes: number): void {
    this.#tasks -= tasks;
    this.#bytes -= bytes;
    this.#claimingTasks += tasks;
    this.#claimingBytes += bytes;
  }

  #beginOfType(type: string): void {
    const credits = this.#ofType?.get(type);
    if (credits === undefined) return;
    credits.tasks--;
    credits.claiming++;
  }

  #endOfType(type: string): void {
    const credits = this.#ofType?.get(type);
    if (credits !== undefined) credits.claiming--;
  }

  #addTotal(tasks: number, bytes: number): void {
    this.#tasks += tasks;
    this.#bytes += bytes;
  }

  #addOfType(type: string, tasks: number): void {
    const credits = this.#ofType?.get(type);
    if (credits === undefined) return;
    credits.tasks += tasks;
    if (!credits.isLacking || credits.tasks <= 0) return;
    credits.isLacking = false;
    this.#isRefilled = true;
  }
}
