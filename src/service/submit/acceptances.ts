import { peekSpec } from '../../core/codec/spec.ts';
import { limits } from '../../core/limits.ts';
import { Memo } from '../../core/memo.ts';
import type { CheckedItem } from '../../core/messages.ts';
import type { QueueRef } from '../../core/queue-ref.ts';
import {
  expiry,
  isRepeatable,
  type Options,
  type OptionsRequest,
  resolveOptions,
  type Submission,
  submittedEvent,
} from '../../core/submission/submission.ts';
import type { SubmittedEvent } from '../../core/task/event.ts';
import { fold } from '../../core/task/evolve.ts';
import type { Head } from '../../core/task/head.ts';
import type { Acceptance } from '../../ports/task-store.ts';

/** The resolved options of each object of requested ones, so that an engine checks and encodes them once. */
const known = new Memo<OptionsRequest, Options>(limits.rememberedOptions);

function resolved(requested: OptionsRequest, nowMs: number): Options {
  const options = known.get(requested);
  if (options !== undefined) return options;
  const made = resolveOptions(requested, nowMs);
  return isRepeatable(requested) ? known.set(requested, made) : made;
}

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
  { key, spec, traceparent }: CheckedItem,
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
export function acceptancesOf(target: QueueRef, items: readonly CheckedItem[], nowMs: number): Acceptance[] {
  let beginning: Beginning | undefined;
  return items.map((item) => {
    const names = item.names ?? peekSpec(item.spec);
    const options = resolved(item.options, nowMs);
    const inLane = names.orderingKey !== undefined;
    if (beginning?.options !== options || beginning.submitted.inLane !== inLane)
      beginning = beginningOf(options, nowMs, names.orderingKey);
    return { submission: submissionOf(target, item, names, beginning), head: beginning.head };
  });
}
