import type { Submission } from '../../../../core/submission/submission.ts';
import type { HistoryFault, HistoryVerification, TaskId } from '../../../../ports/task-store.ts';
import { damagedTask, storeContended } from '../../sdk/errors.ts';
import type { AwsContext } from '../context.ts';
import { beginsWithLink, firstLink, linkAfter } from '../items/hash-chain.ts';
import { bodyOf, linkName, numberOf, ownHead, storedEvents } from '../items/rows.ts';
import { addressOf, type ItemAddress, idOf } from '../schema/ids.ts';
import { headKey, type Item, submissionKey } from '../schema/keys.ts';
import { type NumberedEvent, readMovedOutEvents } from './overflow.ts';

/** All stored events of a task, and the link (a hash) in the head that confirms the last event. */
interface StoredHistory {
  readonly events: ReadonlyMap<number, Uint8Array>;
  /** Numbers of the events that are stored more than once with different content. */
  readonly differing: ReadonlySet<number>;
  /** Number of the task's events as its head counts them, the submission included. */
  readonly count: number;
  /** Link in the head (a hash of the last event); undefined if the task has no head. */
  readonly closing: Uint8Array | undefined;
}

function gatherEvents(head: Item | undefined, moved: readonly NumberedEvent[]): StoredHistory {
  const count = numberOf(head?.v) ?? 1;
  const tip = storedEvents(head);
  const events = new Map<number, Uint8Array>();
  const differing = new Set<number>();
  const inTip = tip.map((event, i): NumberedEvent => [count - tip.length + 1 + i, event]);
  for (const [number, event] of [...moved, ...inTip]) {
    const other = events.get(number);
    if (other !== undefined && Buffer.compare(other, event) !== 0) differing.add(number);
    events.set(number, event);
  }
  return { events, differing, count, closing: head && (head[linkName]?.B ?? new Uint8Array(0)) };
}

/**
 * Returns the first fault in a task's history, in the order of the events. Each event is confirmed by the link (a
 * hash) in the next event, and the last event by the link in the head.
 */
function faultOf(
  first: Uint8Array,
  { events, differing, count, closing }: StoredHistory,
): HistoryFault | undefined {
  let link = first;
  for (let event = 2; event <= count; event++) {
    const stored = events.get(event);
    if (stored === undefined) return { kind: 'missing', event };
    if (!beginsWithLink(stored, link)) return { kind: 'changed', event: event - 1 };
    if (differing.has(event)) return { kind: 'changed', event };
    link = linkAfter(stored);
  }
  if (closing !== undefined && Buffer.compare(closing, link) !== 0) return { kind: 'changed', event: count };
  const beyond = [...events.keys()].filter((event) => event > count);
  return beyond.length === 0 ? undefined : { kind: 'uncounted', event: Math.min(...beyond) };
}

const tries = 5;

/**
 * Checks the stored events of a task against their links (hashes). A task that changed while its items were read one
 * by one is read again.
 */
async function checkEvents(
  context: AwsContext,
  address: ItemAddress,
  submission: Item,
  read: Item | undefined,
): Promise<Omit<HistoryVerification, 'queue'>> {
  const link = firstLink(idOf(address), submission);
  let head = read;
  for (let i = 0; i < tries; i++) {
    const stored = gatherEvents(head, await readMovedOutEvents(context, address));
    const fault = faultOf(link, stored);
    if (fault === undefined) return { events: stored.count, fault };
    const found = await context.calls.get('read', [headKey(address)], true);
    const now = ownHead(address, found.get(headKey(address)));
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

/**
 * Checks that the stored events of a task are the events that were written. Returns undefined if the task does not
 * exist.
 */
export async function verify(
  context: AwsContext,
  id: TaskId,
  nowMs: number,
): Promise<HistoryVerification | undefined> {
  const address = addressOf(id);
  if (address === undefined || idOf(address) !== id) return undefined;
  const found = await context.calls.get('read', [headKey(address), submissionKey(address)], true);
  const item = found.get(submissionKey(address));
  if (item === undefined || numberOf(item.at) !== address.mark) return undefined;
  const { scope, expiresAtMs } = submissionIn(id, item);
  if (expiresAtMs <= nowMs) return undefined;
  const { tenant, queue } = scope;
  const head = ownHead(address, found.get(headKey(address)));
  return { queue: { tenant, queue }, ...(await checkEvents(context, address, item, head)) };
}
