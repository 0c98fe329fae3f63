import type { Submission } from '../../../../core/submission/submission.ts';
import type { HistoryFault, TaskId, Verified } from '../../../../ports/task-store.ts';
import { damagedTask, storeContended } from '../../sdk/errors.ts';
import type { AwsContext } from '../context.ts';
import { firstLink, follows, linkAfter } from '../items/hash-chain.ts';
import { bodyOf, linkName, numberOf, ownHead, storedEvents } from '../items/rows.ts';
import { idOf, type Place, placeOf } from '../schema/ids.ts';
import { headKey, type Item, submissionKey } from '../schema/keys.ts';
import { movedOut, type Numbered } from './overflow.ts';

/** Every stored copy of the events of a task, and what closes the last one. */
interface Stored {
  readonly events: ReadonlyMap<number, Uint8Array>;
  /** Of which there are copies that differ. */
  readonly differing: ReadonlySet<number>;
  /** As the head counts them, the submission included. */
  readonly count: number;
  /** Undefined: no head, so that nothing closes them. */
  readonly closing: Uint8Array | undefined;
}

function gathered(head: Item | undefined, moved: readonly Numbered[]): Stored {
  const count = numberOf(head?.v) ?? 1;
  const tip = storedEvents(head);
  const events = new Map<number, Uint8Array>();
  const differing = new Set<number>();
  const inTip = tip.map((event, i): Numbered => [count - tip.length + 1 + i, event]);
  for (const [number, event] of [...moved, ...inTip]) {
    const other = events.get(number);
    if (other !== undefined && Buffer.compare(other, event) !== 0) differing.add(number);
    events.set(number, event);
  }
  return { events, differing, count, closing: head && (head[linkName]?.B ?? new Uint8Array(0)) };
}

/** The first fault, by the numbers of the events; each is vouched for by the one after it, the last by the head. */
function faultOf(first: Uint8Array, { events, differing, count, closing }: Stored): HistoryFault | undefined {
  let link = first;
  for (let event = 2; event <= count; event++) {
    const stored = events.get(event);
    if (stored === undefined) return { kind: 'missing', event };
    if (!follows(stored, link)) return { kind: 'changed', event: event - 1 };
    if (differing.has(event)) return { kind: 'changed', event };
    link = linkAfter(stored);
  }
  if (closing !== undefined && Buffer.compare(closing, link) !== 0) return { kind: 'changed', event: count };
  const beyond = [...events.keys()].filter((event) => event > count);
  return beyond.length === 0 ? undefined : { kind: 'uncounted', event: Math.min(...beyond) };
}

const tries = 5;

/** A task that went on while its events were read, item by item, is read again. */
async function faultIn(
  context: AwsContext,
  place: Place,
  submission: Item,
  read: Item | undefined,
): Promise<Omit<Verified, 'queue'>> {
  const link = firstLink(idOf(place), submission);
  let head = read;
  for (let i = 0; i < tries; i++) {
    const stored = gathered(head, await movedOut(context, place));
    const fault = faultOf(link, stored);
    if (fault === undefined) return { events: stored.count, fault };
    const found = await context.calls.get('read', [headKey(place)], true);
    const now = ownHead(place, found.at(headKey(place)));
    if (numberOf(now?.rv) === numberOf(head?.rv)) return { events: stored.count, fault };
    head = now;
  }
  throw storeContended('one task');
}

function submissionIn(id: TaskId, item: Item): Submission {
  try {
    return bodyOf(item).submission;
  } catch (thrown) {
    throw damagedTask(id, thrown);
  }
}

/** Whether the events of a task are those that were written; undefined: no such task. */
export async function verify(context: AwsContext, id: TaskId, nowMs: number): Promise<Verified | undefined> {
  const place = placeOf(id);
  if (place === undefined || idOf(place) !== id) return undefined;
  const found = await context.calls.get('read', [headKey(place), submissionKey(place)], true);
  const item = found.at(submissionKey(place));
  if (item === undefined || numberOf(item.at) !== place.mark) return undefined;
  const { scope, expiresAtMs } = submissionIn(id, item);
  if (expiresAtMs <= nowMs) return undefined;
  const { tenant, queue } = scope;
  const head = ownHead(place, found.at(headKey(place)));
  return { queue: { tenant, queue }, ...(await faultIn(context, place, item, head)) };
}
