import { timing } from '../../core/limits.ts';
import type { Assignment } from '../../core/messages.ts';
import { decide } from '../../core/task/decide.ts';
import { isReady } from '../../core/task/head.ts';
import type { Acceptance, Accepted, QueueRef } from '../../ports/task-store.ts';
import { assignmentOf } from '../claim/claim-deliveries.ts';
import type { ServiceContext } from '../context.ts';
import type { LiveSession } from '../session/sessions.ts';

interface Promised {
  readonly index: number;
  readonly session: LiveSession;
  readonly bytes: number;
}

/** What is accepted and claimed in one write, and for whom. */
export interface FirstClaims {
  readonly batch: readonly Acceptance[];
  /** After the commit: assigns what was accepted, gives back the credits of the rest. */
  conclude(accepted: readonly Accepted[]): void;
  /** Nothing was written. */
  giveBack(): void;
}

/** The acceptance with its first claim, or undefined where it can't be claimed. */
function claimedAt(
  context: ServiceContext,
  acceptance: Acceptance,
  session: LiveSession,
): Acceptance | undefined {
  const { submission, head } = acceptance;
  const { options, acceptedAtMs, expiresAtMs } = submission;
  const { onDead } = context.queues.of(submission.scope);
  const facts = { options, acceptedAtMs, expiresAtMs, onDead, tip: [] };
  const claim = { kind: 'claim', worker: session.worker, leaseMs: timing.leaseMs, lowest: true } as const;
  const decision = decide(head, facts, claim, acceptedAtMs);
  const [claimed, ...more] = decision.ok ? decision.events : [];
  if (!decision.ok || claimed?.kind !== 'claimed' || more.length > 0) return undefined;
  return { ...acceptance, head: decision.head, claimed };
}

/**
 * Where a worker waits for such a task, its acceptance and its claim are one write: one sync and one turn less, which
 * is half of an idle task's way. A task of a lane is left out: whether it is the lowest is known after the commit only.
 */
export function firstClaims(
  context: ServiceContext,
  target: QueueRef,
  batch: readonly Acceptance[],
): FirstClaims | undefined {
  if (!context.store.can.claimOnAccept || context.sessions.waiting.size === 0) return undefined;
  const promised: Promised[] = [];
  const fused = batch.map((acceptance, index) => {
    const { submission, head } = acceptance;
    if (head.inLane || !isReady(head)) return acceptance;
    const session = context.sessions.waitingFor(target, submission);
    if (session === undefined) return acceptance;
    const claimed = claimedAt(context, acceptance, session);
    if (claimed === undefined) return acceptance;
    session.promise(submission.spec.length);
    promised.push({ index, session, bytes: submission.spec.length });
    return claimed;
  });
  if (promised.length === 0) return undefined;
  const bySession = Map.groupBy(promised, (one) => one.session);
  const keep = (accepted: readonly Accepted[]): void => {
    for (const [session, all] of bySession) {
      const bytes = all.reduce((sum, one) => sum + one.bytes, 0);
      const tasks = all.flatMap(({ index }) => assigned(context, session, accepted[index]));
      session.keep({ tasks: all.length, bytes }, tasks);
    }
  };
  return { batch: fused, conclude: keep, giveBack: () => keep([]) };
}

function assigned(
  context: ServiceContext,
  session: LiveSession,
  accepted: Accepted | undefined,
): readonly Assignment[] {
  if (accepted?.kind !== 'fresh') return [];
  const { snapshot } = accepted;
  context.feed.publish(snapshot.id);
  context.held.put({ snapshot, receiptHandle: '', sessionId: session.id });
  return [assignmentOf(context, '', snapshot)];
}
