import { peekSpec } from '../../core/codec/spec.ts';
import { asHoldfastError, HoldfastError } from '../../core/errors.ts';
import type { CheckedItem, SubmitResult } from '../../core/messages.ts';
import type { QueueRef } from '../../core/queue-ref.ts';
import { sameSpec } from '../../core/submission/sameness.ts';
import type { Submission } from '../../core/submission/submission.ts';
import { isReady, shownState } from '../../core/task/head.ts';
import type { NodeMetrics } from '../../ports/metrics.ts';
import type { Acceptance, AcceptOutcome, LaneKey, Snapshot, TaskId } from '../../ports/task-store.ts';
import type { ServiceContext } from '../context.ts';
import { dispatch, dispatchLowest, laneOf } from '../hand-over.ts';
import { noteRedriven, redriveSnapshot } from '../redrive/redrive.ts';
import { itemError } from '../rejections.ts';
import type { StepSpans } from '../step-spans.ts';
import { acceptancesOf } from './acceptances.ts';
import { claimOnAccept } from './claim-on-accept.ts';
import { beginSubmitSpans, endSubmitSpans, failSubmitSpans } from './submit-spans.ts';

function resultOf(snapshot: Snapshot, deduplicated: boolean): SubmitResult {
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
 * Sends the dispatch message of an accepted task, before the task is acknowledged. For a task in a lane the
 * message is sent for the first unfinished task of that lane. Does nothing with a transactional broker.
 */
async function dispatchAccepted(context: ServiceContext, snapshot: Snapshot): Promise<void> {
  if (context.store.can.transactionalDispatch) return;
  const lane: LaneKey | undefined = laneOf(snapshot);
  try {
    if (lane !== undefined) await dispatchLowest(context, lane, 'submit', snapshot);
    else if (isReady(snapshot.head)) await dispatch(context, snapshot, 1, 'submit');
  } catch (thrown) {
    throw notDispatched(snapshot.id, asHoldfastError(thrown));
  }
}

/**
 * Returns the error for a task that is stored but was not dispatched. The error's text must not suggest that the task was
 * not accepted: a caller that then submits the task elsewhere would have it run twice.
 */
function notDispatched(taskId: TaskId, error: HoldfastError): HoldfastError {
  // The `help` of a retryable error is left out, because it also advises to send the request again, or wrongly says that
  // nothing was done.
  const first = error.retryable || error.help === undefined ? 'Send' : `${error.help} Then send`;
  const message = `The task was written, but could not be announced to workers: ${error.message}`;
  return new HoldfastError('UNAVAILABLE', 'STORE_FAILED', message, {
    cause: error,
    taskId,
    retryAfterMs: error.retryAfterMs,
    help: `${first} the request again with the same key; otherwise the task is dispatched after about ten minutes.`,
  });
}

/**
 * Returns a function that dispatches the accepted tasks of one submit call, after all of them are committed. It sends one
 * dispatch message per lane, even if several of the tasks joined that lane.
 */
function dispatchOncePerLane(context: ServiceContext): (snapshot: Snapshot) => Promise<void> {
  const lanes = new Map<string, Promise<void>>();
  return (snapshot) => {
    const { orderingKey } = snapshot.submission;
    if (orderingKey === undefined) return dispatchAccepted(context, snapshot);
    const sent = lanes.get(orderingKey) ?? dispatchAccepted(context, snapshot);
    lanes.set(orderingKey, sent);
    return sent;
  };
}

/**
 * Returns a function that redrives the dead tasks whose keys one submit call repeats. It redrives the tasks
 * of a lane one after the other, because each redriven task joins the end of the lane.
 */
function redriveInLaneOrder(context: ServiceContext): (dead: Snapshot) => Promise<Snapshot> {
  const lanes = new Map<string, Promise<Snapshot>>();
  return (dead) => {
    const { orderingKey } = dead.submission;
    const redrive = (): Promise<Snapshot> => redriveSnapshot(context, dead, 'whenDead: redrive');
    if (orderingKey === undefined) return redrive();
    const redriven = lanes.get(orderingKey)?.then(redrive, redrive) ?? redrive();
    lanes.set(orderingKey, redriven);
    return redriven;
  };
}

/** Returns the task as it is now, if its redrive was refused because it is no longer dead: others redrove it meanwhile. */
async function unlessNotDead(context: ServiceContext, { id }: Snapshot, thrown: unknown): Promise<Snapshot> {
  const [now] =
    thrown instanceof HoldfastError && thrown.reason === 'NOT_DEAD'
      ? await context.store.read([id], context.clock.now())
      : [];
  if (now === undefined) throw thrown;
  return now;
}

/**
 * Answers a duplicate submission with the existing task. A dead task is redriven if either submission has `whenDead:
 * redrive`.
 */
async function answerDuplicate(
  context: ServiceContext,
  existing: Snapshot,
  requested: Submission,
  redrive: (dead: Snapshot) => Promise<Snapshot>,
): Promise<SubmitResult> {
  if (!sameSpec(existing.submission.spec, requested.spec)) return { error: itemError(keyReused(existing)) };
  const redrives =
    requested.options.whenDead === 'redrive' || existing.submission.options.whenDead === 'redrive';
  if (existing.head.state === 'dead' && redrives) {
    const redriven = await redrive(existing).catch((thrown: unknown) =>
      unlessNotDead(context, existing, thrown),
    );
    noteRedriven(context, [redriven]);
    return resultOf(redriven, true);
  }
  // A task at revision 1 was never claimed, perhaps because its submitter crashed between the commit and the dispatch. So
  // its dispatch message is sent again.
  if (existing.head.revision === 1) await dispatchAccepted(context, existing);
  return resultOf(existing, true);
}

/** Writes a batch of accepted tasks to the store. A task for which a worker already waits is claimed in the same write. */
async function accept(
  context: ServiceContext,
  target: QueueRef,
  batch: readonly Acceptance[],
  spans: StepSpans | undefined,
): Promise<readonly AcceptOutcome[]> {
  const claims = claimOnAccept(context, target, batch);
  const write = (): Promise<readonly AcceptOutcome[]> => context.store.accept(claims?.batch ?? batch);
  const commit = (): ReturnType<typeof write> => (spans === undefined ? write() : spans.commit(write));
  if (claims === undefined) return commit();
  let accepted: readonly AcceptOutcome[];
  try {
    accepted = await commit();
  } catch (thrown) {
    claims.releaseAll();
    throw thrown;
  }
  claims.conclude(accepted);
  return accepted;
}

type SubmitDeadline = { readonly notAfterMs: number | undefined };

/** Submits a batch of tasks. If the engine is overloaded, the whole batch is refused before any work is done. */
export async function submit(
  context: ServiceContext,
  target: QueueRef,
  items: readonly CheckedItem[],
  call: SubmitDeadline,
): Promise<readonly SubmitResult[]> {
  const spans = beginSubmitSpans(context, target, items);
  if (spans === undefined) return submitWithin(context, target, items, call, undefined);
  try {
    const results = await submitWithin(context, target, items, call, spans);
    endSubmitSpans(spans, results);
    return results;
  } catch (thrown) {
    failSubmitSpans(spans, thrown);
    throw thrown;
  }
}

async function submitWithin(
  context: ServiceContext,
  target: QueueRef,
  items: readonly CheckedItem[],
  call: SubmitDeadline,
  spans: StepSpans | undefined,
): Promise<readonly SubmitResult[]> {
  let release: (() => void) | undefined;
  try {
    release = context.overload?.admit(items.length);
    return await submitAdmitted(context, target, items, call, spans);
  } catch (thrown) {
    if (context.metrics !== undefined) countRefused(context.metrics, target, items, asHoldfastError(thrown));
    throw thrown;
  } finally {
    release?.();
  }
}

function countRefused(
  metrics: NodeMetrics,
  target: QueueRef,
  items: readonly CheckedItem[],
  { reason }: HoldfastError,
): void {
  metrics.submissionsRefused(items.length, reason);
  for (const { spec } of items) metrics.submitted(target, peekSpec(spec).type, 'refused');
}

function countResults(
  metrics: NodeMetrics,
  target: QueueRef,
  batch: readonly Acceptance[],
  results: readonly SubmitResult[],
): void {
  for (let i = 0; i < results.length; i++) {
    const { type } = (batch[i] as Acceptance).submission;
    const result = results[i] as SubmitResult;
    if (result.error === undefined)
      metrics.submitted(target, type, result.deduplicated ? 'deduplicated' : 'accepted');
    else if (result.error.reason === 'KEY_REUSED') metrics.submitted(target, type, 'conflict');
    else {
      metrics.submitted(target, type, 'refused');
      metrics.submissionsRefused(1, result.error.reason);
    }
  }
}

/**
 * Accepts a batch of submitted tasks: commits the new tasks together, then answers the duplicate submissions. A task is
 * acknowledged only after its dispatch message was sent, so that an acknowledged task no longer depends on its submitter.
 */
async function submitAdmitted(
  context: ServiceContext,
  target: QueueRef,
  items: readonly CheckedItem[],
  call: SubmitDeadline,
  spans: StepSpans | undefined,
): Promise<readonly SubmitResult[]> {
  if (!context.queues.has(target)) await context.queues.ensure(target);
  const nowMs = context.clock.now();
  if (call.notAfterMs !== undefined && context.clock.monotonic() > call.notAfterMs) {
    throw new HoldfastError(
      'DEADLINE_EXCEEDED',
      'TIMED_OUT',
      'The call’s deadline passed before its commit began; nothing was accepted.',
      {
        help: 'Send it again with the same key and a longer deadline.',
      },
    );
  }
  const batch = acceptancesOf(target, items, nowMs);
  const accepted = await accept(context, target, batch, spans);
  const results = new Array<SubmitResult>(items.length);
  const waits: Promise<void>[] = [];
  const dispatchOne = dispatchOncePerLane(context);
  const redriveOne = redriveInLaneOrder(context);
  for (let i = 0; i < accepted.length; i++) {
    const one = accepted[i];
    const submission = batch[i]?.submission;
    if (one === undefined || submission === undefined)
      throw new RangeError('the store returned fewer results than items');
    if (one.kind === 'fresh' && context.store.can.transactionalDispatch)
      results[i] = resultOf(one.snapshot, false);
    else
      waits.push(
        settleItem(
          i,
          one.kind === 'failed'
            ? Promise.reject(one.error)
            : (spans?.within(i, () => acknowledge(one, submission)) ?? acknowledge(one, submission)),
        ),
      );
  }
  if (waits.length > 0) await Promise.all(waits);
  if (context.metrics !== undefined) countResults(context.metrics, target, batch, results);
  return results;

  async function acknowledge(one: (typeof accepted)[number], submission: Submission): Promise<SubmitResult> {
    if (one.kind === 'failed') throw one.error;
    if (one.kind === 'existing') return answerDuplicate(context, one.snapshot, submission, redriveOne);
    await dispatchOne(one.snapshot);
    return resultOf(one.snapshot, false);
  }
  async function settleItem(index: number, work: Promise<SubmitResult>): Promise<void> {
    results[index] = await work.catch((thrown: unknown): SubmitResult => ({ error: itemError(thrown) }));
  }
}
