/** Gives a task that must run alone to a worker that does not wait by itself until nothing else runs. */
import type { Submission } from '../../core/submission/submission.ts';
import type { Head } from '../../core/task/head.ts';
import type { Delivery } from '../../ports/broker.ts';
import type { Snapshot } from '../../ports/task-store.ts';
import type { ServiceContext } from '../context.ts';
import { holdsNothing } from '../reserved/recall-alone.ts';
import type { LiveSession } from '../session/sessions.ts';
import type { HeldLease } from '../settle/held-leases.ts';
import { isClaimedAlone, withoutCompany } from './alone.ts';
import { handBack } from './within-room.ts';

/** A claim that is decided and not written yet. */
interface DecidedClaim {
  readonly candidate: { readonly delivery: Delivery; readonly snapshot: Pick<Snapshot, 'id' | 'submission'> };
  readonly change: { readonly head: Head };
}

/** How often the node looks whether the task that runs alone has ended, in ms. */
const checkMs = 100;

/** The claims of a session that may be written. */
export interface AdmittedClaims<T> {
  readonly claims: readonly T[];
  /** Must be called after the claims were written, also if that failed. */
  written(): void;
}

/**
 * The tasks of one worker's stream that does not say `runs_alone`. The worker begins all that it is given, so it gets a task
 * that must run alone only while it has no other task, and nothing else until that task has ended, as far as this node
 * knows. There are three modes:
 *
 * - no task runs alone: ordinary tasks are admitted. A task that must run alone is admitted if the worker has none;
 *   otherwise its delivery is left to others.
 * - a task that runs alone is being claimed: the deliveries of all others are handed back.
 * - a task runs alone: the same, until its lease is over.
 */
export class OnlyTask {
  readonly #context: ServiceContext;
  readonly #session: LiveSession;
  readonly #ended: () => void;
  /** The number of other tasks that are being claimed for the worker. */
  #claiming = 0;
  #alone: HeldLease | 'beingClaimed' | undefined;

  /** `ended` is called when a task that ran alone has ended. */
  constructor(context: ServiceContext, session: LiveSession, ended: () => void) {
    this.#context = context;
    this.#session = session;
    this.#ended = ended;
  }

  /** True while the worker may get no other task. */
  get runs(): boolean {
    return this.#alone !== undefined;
  }

  /** Counts tasks that are being claimed for the worker outside of `admit`; a negative number ends that. */
  claiming(tasks: number): void {
    this.#claiming += tasks;
  }

  /** Returns the claims that may be written now, and leaves the deliveries of the others to other workers. */
  admit<T extends DecidedClaim>(all: readonly T[]): AdmittedClaims<T> {
    if (this.runs) {
      const claims = this.#without(all, ({ state }) => state === 'running');
      return { claims, written() {} };
    }
    const isAny = all.some(({ change }) => isClaimedAlone(change.head));
    if (isAny && this.#claiming === 0 && holdsNothing(this.#context, this.#session)) {
      this.#alone = 'beingClaimed';
      const claims = withoutCompany(this.#context, all, true);
      return { claims, written: () => this.#aloneWritten(claims) };
    }
    const claims = isAny ? this.#without(all, isClaimedAlone) : all;
    this.#claiming += claims.length;
    return { claims, written: () => this.claiming(-claims.length) };
  }

  #without<T extends DecidedClaim>(all: readonly T[], isLeft: (head: Head) => boolean): T[] {
    for (const { candidate, change } of all) if (isLeft(change.head)) this.#leave(candidate);
    return all.filter(({ change }) => !isLeft(change.head));
  }

  /**
   * Leaves a delivery to other workers. If one of this node can take it now, this stream takes nothing for half a second;
   * otherwise the delivery is hidden for a second. This stream would get it again at once in both cases.
   */
  #leave({ delivery, snapshot }: DecidedClaim['candidate']): void {
    const context = this.#context;
    const isWanted =
      this.runs || [...context.sessions.waiting].some((one) => this.#mayTake(one, snapshot.submission));
    if (isWanted && !this.runs) this.#session.giveUp([]);
    context.background('delivery', handBack(context, delivery, isWanted ? 0 : undefined));
  }

  #mayTake(other: LiveSession, submission: Submission): boolean {
    if (other === this.#session || (other.freeRoom()?.of(submission) ?? 0) === 0) return false;
    return other.runsAlone || holdsNothing(this.#context, other);
  }

  #aloneWritten(claims: readonly DecidedClaim[]): void {
    const leases = claims.flatMap(
      ({ candidate, change }) =>
        this.#context.heldLeases.get(candidate.snapshot.id, change.head.fencingToken) ?? [],
    );
    this.#alone = leases.find(({ snapshot }) => isClaimedAlone(snapshot.head));
    this.#check();
  }

  #check(): void {
    const { clock, heldLeases, sessions } = this.#context;
    if (this.#alone === undefined || this.#alone === 'beingClaimed') {
      this.#ended();
      return;
    }
    const { id, head } = this.#alone.snapshot;
    if (heldLeases.get(id, head.fencingToken) !== this.#alone) this.#alone = undefined;
    if (sessions.get(this.#session.id) === undefined) return;
    if (this.#alone === undefined) this.#ended();
    else clock.after(checkMs, () => this.#check());
  }
}
