/** Gives tasks back whose claims may have been recorded although the store did not answer. */
import { encodeLease } from '../../core/codec/lease.ts';
import { asHoldfastError } from '../../core/errors.ts';
import type { Head } from '../../core/task/head.ts';
import type { Delivery } from '../../ports/broker.ts';
import type { Snapshot } from '../../ports/task-store.ts';
import type { ServiceContext } from '../context.ts';
import { readEach } from '../read-each.ts';
import { settle } from '../settle/settle.ts';
import { returnDeliveries } from './return-deliveries.ts';

/** How long after a claim without an answer its task is read, in ms. It is read again after twice the time, if it must. */
const firstCheckMs = 1_000;
/** The number of reads. After the last one the message becomes visible by itself, when the lease has expired. */
const checks = 4;

/** A claim whose outcome is unknown: its assignment was given to no worker. */
export interface UnansweredClaim {
  readonly delivery: Delivery;
  /** The head of the task, if the claim was recorded. */
  readonly head: Head;
}

/** True if the store may have recorded a write that failed with this error. */
export function isUnanswered(thrown: unknown): boolean {
  return asHoldfastError(thrown).code === 'UNAVAILABLE';
}

/**
 * True if the task has the lease of this claim. If the claim was not recorded, the next one may have the same fencing
 * token, since a second message of the task may have brought it to another worker meanwhile, but never the same secret.
 */
function isHeld({ heldLeases }: ServiceContext, { id, head }: Snapshot, claim: UnansweredClaim): boolean {
  const { fencingToken, leaseSecret } = claim.head;
  const isOfClaim = head.fencingToken === fencingToken && head.leaseSecret === leaseSecret;
  return head.state === 'running' && isOfClaim && heldLeases.get(id, fencingToken) === undefined;
}

/**
 * Finds out, once the store answers again, which of these claims were recorded, and releases their tasks. Otherwise each
 * of these tasks would wait for the end of a lease that no worker knows of, and count a loss. The messages stay hidden
 * meanwhile.
 */
export function releaseUnanswered(
  context: ServiceContext,
  claims: readonly UnansweredClaim[],
  check = 0,
): void {
  if (claims.length === 0) return;
  context.clock.after(firstCheckMs * 2 ** check, () => {
    context.background('unanswered claim', checkClaims(context, claims, check));
  });
}

async function checkClaims(
  context: ServiceContext,
  claims: readonly UnansweredClaim[],
  check: number,
): Promise<void> {
  const ids = claims.map(({ delivery }) => delivery.message.id);
  try {
    const read = await readEach(ids, (some) => context.store.read(some, context.clock.now()));
    const unrecorded: Delivery[] = [];
    for (const [i, claim] of claims.entries()) {
      const found = read[i];
      if (found === undefined || found instanceof Error || !isHeld(context, found, claim))
        unrecorded.push(claim.delivery);
      else await release(context, claim.delivery, found);
    }
    await returnDeliveries(context, unrecorded);
  } catch (thrown) {
    if (check + 1 >= checks) throw thrown;
    releaseUnanswered(context, claims, check + 1);
  }
}

async function release(
  context: ServiceContext,
  { receiptHandle }: Delivery,
  snapshot: Snapshot,
): Promise<void> {
  const { id, head, submission } = snapshot;
  const { fencingToken, leaseSecret: secret, version, timeoutAtMs = 0 } = head;
  const lease = encodeLease({ id, fencingToken, secret, version, timeoutAtMs, receiptHandle });
  const nothing = { result: undefined, message: '', errorType: '', afterMs: undefined };
  const { tenant } = submission.scope;
  await settle(context, [{ lease, outcome: 'released', begun: false, ...nothing }], {
    tenant,
    sessionId: undefined,
  });
}
