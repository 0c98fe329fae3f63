import { noOptions } from '../../core/codec/options.ts';
import { peekSpec } from '../../core/codec/spec.ts';
import type { SubmitItem } from '../../core/messages.ts';
import type { QueueRef } from '../../core/queue-ref.ts';
import {
  expiry,
  type Options,
  resolveOptions,
  type Submission,
  submittedEvent,
} from '../../core/submission/submission.ts';
import type { SubmittedEvent } from '../../core/task/event.ts';
import { fold } from '../../core/task/evolve.ts';
import type { Head } from '../../core/task/head.ts';
import type { Acceptance } from '../../ports/task-store.ts';

/**
 * The options of a submission that sets no option. All such submissions share this object, so that it is encoded only once.
 */
const defaultOptions = Object.freeze(resolveOptions(noOptions, 0));

/** The parts of a new task that follow from its options, the time and whether it has an ordering key. */
interface Beginning {
  readonly options: Options;
  readonly expiresAtMs: number;
  readonly submitted: SubmittedEvent;
  readonly head: Head;
}

function beginningOf(options: Options, nowMs: number, orderingKey: string | undefined): Beginning {
  const submitted = submittedEvent(options, nowMs, orderingKey);
  return { options, expiresAtMs: expiry(options, nowMs), submitted, head: fold([submitted]) };
}

function submissionOf(
  target: QueueRef,
  { key, spec, traceparent }: SubmitItem,
  names: Pick<Submission, 'type' | 'typeVersion' | 'orderingKey'>,
  { options, expiresAtMs, submitted }: Beginning,
): Submission {
  const { type, typeVersion, orderingKey } = names;
  return {
    scope: { tenant: target.tenant, queue: target.queue, key },
    spec,
    type,
    typeVersion,
    orderingKey,
    options,
    traceparent,
    acceptedAtMs: submitted.atMs,
    expiresAtMs,
    submitted,
  };
}

/**
 * Returns the new tasks of one submit call. Neighbours with the same options share their first event and their head, which
 * never change: an engine then also encodes that event once.
 */
export function acceptancesOf(target: QueueRef, items: readonly SubmitItem[], nowMs: number): Acceptance[] {
  let beginning: Beginning | undefined;
  return items.map((item) => {
    const names = peekSpec(item.spec);
    const options = item.options === noOptions ? defaultOptions : resolveOptions(item.options, nowMs);
    const inLane = names.orderingKey !== undefined;
    if (beginning?.options !== options || beginning.submitted.inLane !== inLane)
      beginning = beginningOf(options, nowMs, names.orderingKey);
    return { submission: submissionOf(target, item, names, beginning), head: beginning.head };
  });
}
