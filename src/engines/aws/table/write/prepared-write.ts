import type { Transition } from '../../../../ports/task-store.ts';
import type { AwsContext } from '../context.ts';
import { conditionOf } from '../items/conditions.ts';
import { chained } from '../items/hash-chain.ts';
import { cleared, type HeadUpdate, headUpdate, type Tip } from '../items/head-update.ts';
import type { Known } from '../items/known-tasks.ts';
import { b, bytesOfEvents, type HeadAttributes, headAttributes, linkName } from '../items/rows.ts';
import { moveOut, overflows } from '../read/overflow.ts';
import { headKey } from '../schema/keys.ts';
import { storeResult } from './results.ts';

/** One transition, ready to be written: everything but who writes it and how. */
export interface Writing {
  readonly change: Transition;
  /** As before the change. */
  readonly known: Known;
  readonly tip: Tip;
  readonly result: HeadAttributes;
  readonly link: Uint8Array;
  readonly nonce: { readonly B: Uint8Array };
}

/** Number of events before the change, by what the change says of itself. */
export function versionBefore({ head, events }: Transition): number {
  return head.version - events.length;
}

function isBirth({ expect }: Transition): boolean {
  return 'revision' in expect && expect.revision === 1;
}

/**
 * Writes what must stand before the head names or drops it: a large result, a full tip's older events. Undefined: the
 * task has moved on meanwhile.
 */
export async function prepare(
  context: AwsContext,
  change: Transition,
  known: Known,
): Promise<Writing | undefined> {
  const { stored, link } = chained(known.link, change.events);
  let tip: Tip = { how: 'grow', events: stored };
  if (isBirth(change)) tip = { how: 'begin', kept: [], events: stored };
  else if (stored.length > 0 && overflows(known, bytesOfEvents(stored))) {
    const kept = await moveOut(context, known);
    if (kept === undefined) return undefined;
    tip = { how: 'begin', kept, events: stored };
  }
  const result =
    change.result === undefined
      ? {}
      : await storeResult(context, known, change.head.fencingToken, change.result);
  return { change, known, tip, result, link, nonce: context.nonces.next() };
}

/** `laneSeq`: a new place in the lane. */
export function updateOf(
  context: AwsContext,
  { change, known, tip, result, link, nonce }: Writing,
  laneSeq = known.laneSeq,
): HeadUpdate & { Key: ReturnType<typeof headKey>; ConditionExpression: string } {
  const { expect } = change;
  const attributes = {
    ...(isBirth(change) ? cleared : {}),
    ...headAttributes(change.head, { ...known, laneSeq }, context.shards),
    [linkName]: b(link),
  };
  const revision = 'revision' in expect ? expect.revision + 1 : undefined;
  const update = headUpdate(attributes, tip, revision, nonce, result);
  const condition = conditionOf(change, versionBefore(change));
  return {
    Key: headKey(known.place),
    ...update,
    ExpressionAttributeValues: { ...update.ExpressionAttributeValues, ...condition.values },
    ConditionExpression: condition.expression,
  };
}

/** What is known of the task once the change was written. */
export function knownAfter({ change, known, tip, link }: Writing, laneSeq = known.laneSeq): Known {
  const events = bytesOfEvents(tip.events);
  const before = tip.how === 'grow' ? known.tipBytes : bytesOfEvents(tip.kept);
  return { ...known, laneSeq, version: change.head.version, link, tipBytes: before + events };
}
