import type { Transition } from '../../../../ports/task-store.ts';
import type { AwsContext } from '../context.ts';
import { conditionOf } from '../items/conditions.ts';
import { chainEvents } from '../items/hash-chain.ts';
import { cleared, type HeadUpdate, headUpdate, type TipUpdate } from '../items/head-update.ts';
import type { KnownTask } from '../items/known-tasks.ts';
import { b, bytesOfEvents, type HeadAttributes, headAttributes, linkName } from '../items/rows.ts';
import { moveOutOldEvents, tipOverflows } from '../read/overflow.ts';
import { headKey } from '../schema/keys.ts';
import { storeResult } from './results.ts';

/** One transition (a change of a task), ready to be written to the task's head. */
export interface PreparedWrite {
  readonly change: Transition;
  /** Cached data about the task before the change. */
  readonly known: KnownTask;
  readonly tip: TipUpdate;
  readonly result: HeadAttributes;
  readonly link: Uint8Array;
  readonly nonce: { readonly B: Uint8Array };
}

/** Returns the task's number of events before the change, computed from the change itself. */
export function versionBefore({ head, events }: Transition): number {
  return head.version - events.length;
}

function isFirstChange({ expect }: Transition): boolean {
  return 'revision' in expect && expect.revision === 1;
}

/**
 * Writes the items that must exist before a task's head changes: a large result, and the older events of a full tip
 * (the list of events in the head). Returns undefined if the task has changed meanwhile.
 */
export async function prepare(
  context: AwsContext,
  change: Transition,
  known: KnownTask,
): Promise<PreparedWrite | undefined> {
  const { stored, link } = chainEvents(known.link, change.events);
  let tip: TipUpdate = { how: 'grow', events: stored };
  if (isFirstChange(change)) tip = { how: 'begin', kept: [], events: stored };
  else if (stored.length > 0 && tipOverflows(known, bytesOfEvents(stored))) {
    const kept = await moveOutOldEvents(context, known);
    if (kept === undefined) return undefined;
    tip = { how: 'begin', kept, events: stored };
  }
  const result =
    change.result === undefined
      ? {}
      : await storeResult(context, known, change.head.fencingToken, change.result);
  return { change, known, tip, result, link, nonce: context.nonces.next() };
}

/**
 * Builds the update of a task's head for a transition. `laneSeq` is the task's place in its lane; a redrive gives the
 * task a new place.
 */
export function updateOf(
  context: AwsContext,
  { change, known, tip, result, link, nonce }: PreparedWrite,
  laneSeq = known.laneSeq,
): HeadUpdate & { Key: ReturnType<typeof headKey>; ConditionExpression: string } {
  const { expect } = change;
  const attributes = {
    ...(isFirstChange(change) ? cleared : {}),
    ...headAttributes(change.head, { ...known, laneSeq }, context.shards),
    [linkName]: b(link),
  };
  const revision = 'revision' in expect ? expect.revision + 1 : undefined;
  const update = headUpdate(attributes, tip, revision, nonce, result);
  const condition = conditionOf(change, versionBefore(change));
  return {
    Key: headKey(known.address),
    ...update,
    ExpressionAttributeValues: { ...update.ExpressionAttributeValues, ...condition.values },
    ConditionExpression: condition.expression,
  };
}

/** Returns the data to cache about a task after the change was written. */
export function knownAfter({ change, known, tip, link }: PreparedWrite, laneSeq = known.laneSeq): KnownTask {
  const events = bytesOfEvents(tip.events);
  const before = tip.how === 'grow' ? known.tipBytes : bytesOfEvents(tip.kept);
  return { ...known, laneSeq, version: change.head.version, link, tipBytes: before + events };
}
