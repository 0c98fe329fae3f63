import { noOptions } from '../../core/codec/options.ts';
import { peekSpec } from '../../core/codec/spec.ts';
import { asHoldfastError, HoldfastError } from '../../core/errors.ts';
import type { SubmitItem, SubmitResult } from '../../core/messages.ts';
import { sameSpec } from '../../core/submission/sameness.ts';
import { expiry, resolveOptions, type Submission, submittedEvent } from '../../core/submission/submission.ts';
import { fold } from '../../core/task/evolve.ts';
import { isReady, shownState } from '../../core/task/head.ts';
import type { Acceptance, Accepted, LaneKey, QueueRef, Snapshot, TaskId } from '../../ports/task-store.ts';
import type { ServiceContext } from '../context.ts';
import { dispatch, dispatchLowest, laneOf } from '../hand-over.ts';
import { noteRedriven, redriveSnapshot } from '../redrive/redrive.ts';
import { itemError } from '../rejections.ts';
import { firstClaims } from './claim-on-accept.ts';

/** Of whoever asks for nothing; one object, so that its bytes are made once. */
const standard = Object.freeze(resolveOptions(noOptions, 0));

function submissionOf(target: QueueRef, item: SubmitItem, nowMs: number): Submission {
  const { type, typeVersion, orderingKey } = peekSpec(item.spec);
  const options = item.options === noOptions ? standard : resolveOptions(item.options, nowMs);
  return {
    scope: { tenant: target.tenant, queue: target.queue, key: item.key },
    spec: item.spec,
    type,
    typeVersion,
    orderingKey,
    options,
    traceparent: item.traceparent,
    acceptedAtMs: nowMs,
    expiresAtMs: expiry(options, nowMs),
    submitted: submittedEvent(options, nowMs, orderingKey),
  };
}

function acceptance(submission: Submission): Acceptance {
  return { submission, head: fold([submission.submitted]) };
}

function answer(snapshot: Snapshot, deduplicated: boolean): SubmitResult {
  const { head, id } = snapshot;
  return { id, deduplicated, state: shownState(head), version: head.version, error: undefined };
}

function keyReused(existing: Snapshot): HoldfastError {
  const { key, queue } = existing.submission.scope;
  return new HoldfastError(
    'ALREADY_EXISTS',
    'KEY_REUSED',
    `The key '${key}' of queue '${queue}' is taken by task '${existing.id}' with another request.`,
    {
      taskId: existing.id,
      help: 'Use another key for another request, or send the same type, ordering key and payload.',
    },
  );
}

/**
 * Rings what was accepted before it is acknowledged. In a lane the lowest is rung, whichever it is. Where bells are
 * part of the commit there is nothing left to do.
 */
async function dispatchAccepted(context: ServiceContext, snapshot: Snapshot): Promise<void> {
  if (context.store.can.transactionalDispatch) return;
  const lane: LaneKey | undefined = laneOf(snapshot);
  try {
    if (lane !== undefined) await dispatchLowest(context, lane, 'submit');
    else if (isReady(snapshot.head)) await dispatch(context, snapshot, 1, 'submit');
  } catch (thrown) {
    throw notDispatched(snapshot.id, asHoldfastError(thrown));
  }
}

/** It is in the store, so that no error may read as if it were not: whoever sent it elsewhere would have it done twice. */
function notDispatched(taskId: TaskId, error: HoldfastError): HoldfastError {
  // That of a retryable error says the same, or that nothing was done.
  const first = error.retryable || error.help === undefined ? 'Send' : `${error.help} Then send`;
  const told = `The task was written, but could not be announced to workers: ${error.message}`;
  return new HoldfastError('UNAVAILABLE', 'STORE_FAILED', told, {
    cause: error,
    taskId,
    retryAfterMs: error.retryAfterMs,
    help: `${first} the request again with the same key; else the task is found in some ten minutes.`,
  });
}

/**
 * Rings what one call accepted, once it is all committed: so of a lane that several of it joined the lowest is rung
 * once.
 */
function dispatching(context: ServiceContext): (snapshot: Snapshot) => Promise<void> {
  const lanes = new Map<string, Promise<void>>();
  return (snapshot) => {
    const { orderingKey } = snapshot.submission;
    if (orderingKey === undefined) return dispatchAccepted(context, snapshot);
    const sent = lanes.get(orderingKey) ?? dispatchAccepted(context, snapshot);
    lanes.set(orderingKey, sent);
    return sent;
  };
}

/** Redrives what one call wants redriven; of one lane one after the other, since each joins at its tail. */
function redriving(context: ServiceContext): (dead: Snapshot) => Promise<Snapshot> {
  const lanes = new Map<string, Promise<Snapshot>>();
  return (dead) => {
    const { orderingKey } = dead.submission;
    const redrive = (): Promise<Snapshot> => redriveSnapshot(context, dead, 'whenDead: retry');
    if (orderingKey === undefined) return redrive();
    const redriven = lanes.get(orderingKey)?.then(redrive, redrive) ?? redrive();
    lanes.set(orderingKey, redriven);
    return redriven;
  };
}

/** A duplicate: the task as it stands, redriven where it is dead and the caller or the task wants that. */
async function duplicate(
  context: ServiceContext,
  existing: Snapshot,
  asked: Submission,
  redrive: (dead: Snapshot) => Promise<Snapshot>,
): Promise<SubmitResult> {
  if (!sameSpec(existing.submission.spec, asked.spec)) return { error: itemError(keyReused(existing)) };
  const retry = asked.options.whenDead === 'retry' || existing.submission.options.whenDead === 'retry';
  if (existing.head.state === 'dead' && retry) {
    const redriven = await redrive(existing);
    noteRedriven(context, [redriven]);
    return answer(redriven, true);
  }
  // Never claimed: its submitter may have died between the commit and the ring.
  if (existing.head.revision === 1) await dispatchAccepted(context, existing);
  return answer(existing, true);
}

/** Claims at once what a worker waits for. */
async function accept(
  context: ServiceContext,
  target: QueueRef,
  batch: readonly Acceptance[],
): Promise<readonly Accepted[]> {
  const claims = firstClaims(context, target, batch);
  if (claims === undefined) return context.store.accept(batch);
  let accepted: readonly Accepted[];
  try {
    accepted = await context.store.accept(claims.batch);
  } catch (thrown) {
    claims.giveBack();
    throw thrown;
  }
  claims.conclude(accepted);
  return accepted;
}

/** Refused before any work is done where the engine is overloaded; else accepted and rung. */
export async function submit(
  context: ServiceContext,
  target: QueueRef,
  items: readonly SubmitItem[],
  call: { readonly notAfterMs: number | undefined },
): Promise<readonly SubmitResult[]> {
  const leave = context.overload?.admit(items.length);
  try {
    return await submitAdmitted(context, target, items, call);
  } finally {
    leave?.();
  }
}

/**
 * Accepts a batch: one commit for what is new, then the judgement of duplicates. Acknowledged only after the
 * bell rang, so that an acknowledged task never depends on its submitter.
 */
async function submitAdmitted(
  context: ServiceContext,
  target: QueueRef,
  items: readonly SubmitItem[],
  call: { readonly notAfterMs: number | undefined },
): Promise<readonly SubmitResult[]> {
  if (!context.queues.has(target)) await context.queues.ensure(target);
  const nowMs = context.clock.now();
  if (call.notAfterMs !== undefined && nowMs > call.notAfterMs) {
    throw new HoldfastError(
      'DEADLINE_EXCEEDED',
      'TIMED_OUT',
      'The call’s deadline passed before its commit began; nothing was accepted.',
      {
        help: 'Send it again with the same key and a longer deadline.',
      },
    );
  }
  const submissions = items.map((item) => submissionOf(target, item, nowMs));
  const accepted = await accept(
    context,
    target,
    submissions.map((submission) => acceptance(submission)),
  );
  const results = new Array<SubmitResult>(items.length);
  const waits: Promise<void>[] = [];
  const dispatchOne = dispatching(context);
  const redriveOne = redriving(context);
  for (let i = 0; i < accepted.length; i++) {
    const one = accepted[i];
    const submission = submissions[i];
    if (one === undefined || submission === undefined)
      throw new RangeError('the store answered fewer items than asked');
    if (one.kind === 'fresh' && context.store.can.transactionalDispatch)
      results[i] = answer(one.snapshot, false);
    else
      waits.push(
        settleItem(i, one.kind === 'failed' ? Promise.reject(one.error) : acknowledge(one, submission)),
      );
  }
  if (waits.length > 0) await Promise.all(waits);
  return results;

  async function acknowledge(one: (typeof accepted)[number], submission: Submission): Promise<SubmitResult> {
    if (one.kind === 'failed') throw one.error;
    if (one.kind === 'existing') return duplicate(context, one.snapshot, submission, redriveOne);
    await dispatchOne(one.snapshot);
    return answer(one.snapshot, false);
  }
  async function settleItem(index: number, work: Promise<SubmitResult>): Promise<void> {
    results[index] = await work.catch((thrown: unknown): SubmitResult => ({ error: itemError(thrown) }));
  }
}
