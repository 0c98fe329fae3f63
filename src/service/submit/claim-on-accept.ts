import { timing } from '../../core/limits.ts';
import type { Assignment } from '../../core/messages.ts';
import type { QueueRef } from '../../core/queue-ref.ts';
import type { Submission } from '../../core/submission/submission.ts';
import { decide } from '../../core/task/decide.ts';
import { isReady } from '../../core/task/head.ts';
import type { Acceptance, AcceptOutcome } from '../../ports/task-store.ts';
import { assignmentOf } from '../claim/claim-deliveries.ts';
import type { ServiceContext } from '../context.ts';
import type { LiveSession } from '../session/sessions.ts';

/** A credit that was taken from a waiting worker's session for one task of a batch that is about to be accepted. */
interface Reservation {
  readonly index: number;
  readonly session: LiveSession;
  readonly submission: Submission;
}

/** A batch of new tasks for the store to accept. Some of the tasks include a claim for a waiting worker. */
export interface ClaimsOnAccept {
  readonly batch: readonly Acceptance[];
  /**
   * Must be called after the commit: gives the claimed tasks to their waiting workers, and returns the credits that were
   * reserved for tasks that were not newly accepted.
   */
  conclude(accepted: readonly AcceptOutcome[]): void;
  /** Must be called if the batch was not written: returns all reserved credits to their sessions. */
  releaseAll(): void;
}

/** Returns the new task with its first claim, for the worker of `session`, or undefined if the task cannot be claimed. */
function withClaim(
  context: ServiceContext,
  acceptance: Acceptance,
  session: LiveSession,
): Acceptance | undefined {
  const { submission, head } = acceptance;
  const { options, acceptedAtMs, expiresAtMs } = submission;
  const { onDead } = context.queues.of(submission.scope);
  const facts = { options, acceptedAtMs, expiresAtMs, onDead, tip: [] };
  const { worker, begins } = session;
  const { leaseMs } = timing;
  const leaseSecret = context.clock.secret();
  const claim = { kind: 'claim', worker, leaseMs, leaseSecret, lowest: true, begins } as const;
  const decision = decide(head, facts, claim, acceptedAtMs);
  const [claimed, ...more] = decision.ok ? decision.events : [];
  if (!decision.ok || claimed?.kind !== 'claimed' || more.length > 0) return undefined;
  return { ...acceptance, head: decision.head, claimed };
}

/**
 * The task types of a batch for which no session waits, so that thousands of sessions are looked through once for each type
 * and not for each task. A session may have no room for a large task and room for a smaller one.
 */
class UnwaitedTypes {
  readonly #leastBytes = new Map<string, number>();

  has(submission: Submission): boolean {
    return submission.spec.length >= (this.#leastBytes.get(keyOf(submission)) ?? Number.POSITIVE_INFINITY);
  }

  add(submission: Submission): void {
    this.#leastBytes.set(keyOf(submission), submission.spec.length);
  }
}

function keyOf({ type, typeVersion }: Submission): string {
  return `${type}/${typeVersion}`;
}

/**
 * Adds a claim to each new task of a batch for which a worker already waits, so that one write accepts and
 * claims the task. This saves a commit batch with its sync, which halves the latency of a task on an idle
 * system. A task of a lane gets no claim here, because only after the commit is it known whether the task is
 * the first of its lane.
 */
export function claimOnAccept(
  context: ServiceContext,
  target: QueueRef,
  batch: readonly Acceptance[],
): ClaimsOnAccept | undefined {
  if (!context.store.can.claimOnAccept || context.sessions.waiting.size === 0 || !context.mayLease())
    return undefined;
  const reservations: Reservation[] = [];
  const unwaited = new UnwaitedTypes();
  const withClaims = batch.map((acceptance, index) => {
    const { submission, head } = acceptance;
    if (head.inLane || !isReady(head) || unwaited.has(submission)) return acceptance;
    const session = context.sessions.waiting.next(target, submission);
    if (session === undefined) {
      unwaited.add(submission);
      return acceptance;
    }
    const claimed = withClaim(context, acceptance, session);
    if (claimed === undefined) return acceptance;
    session.reserve(submission);
    reservations.push({ index, session, submission });
    return claimed;
  });
  if (reservations.length === 0) return undefined;
  const bySession = Map.groupBy(reservations, (one) => one.session);
  const conclude = (accepted: readonly AcceptOutcome[]): void => {
    for (const [session, all] of bySession) {
      session.deliverReserved(
        all.map(({ index, submission }) => ({
          submission,
          assignment: claimedAssignmentOf(context, session, accepted[index]),
        })),
      );
    }
  };
  return { batch: withClaims, conclude, releaseAll: () => conclude([]) };
}

function claimedAssignmentOf(
  context: ServiceContext,
  session: LiveSession,
  accepted: AcceptOutcome | undefined,
): Assignment | undefined {
  if (accepted?.kind !== 'fresh') return undefined;
  const { snapshot } = accepted;
  context.changeFeed.publish(snapshot.id);
  context.metrics?.changed(snapshot, snapshot.tip);
  context.heldLeases.put({ snapshot, receiptHandle: '', sessionId: session.id, begun: session.begins });
  return assignmentOf(context, '', snapshot, undefined);
}
