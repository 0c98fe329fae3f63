import type { TaskEvent } from '../../../../core/task/event.ts';
import type { TaskId } from '../../../../ports/task-store.ts';
import { damagedTask } from '../../sdk/errors.ts';
import type { AwsContext } from '../context.ts';
import { decodeStoredEvent } from '../items/hash-chain.ts';
import { bodyOf, isExpired, numberOf, ownHead, storedEvents } from '../items/rows.ts';
import { addressOf, type ItemAddress, idOf } from '../schema/ids.ts';
import { headKey, type Item, submissionKey } from '../schema/keys.ts';
import { readMovedOutEvents } from './overflow.ts';

/**
 * Returns the stored events of a task with numbers above `fromVersion`, including events that were moved out of the
 * head. Event 1 is the submission and is never among these events.
 */
async function storedEventsFrom(
  context: AwsContext,
  address: ItemAddress,
  head: Item | undefined,
  fromVersion: number,
): Promise<Uint8Array[]> {
  const tip = storedEvents(head);
  const version = numberOf(head?.v) ?? 1;
  const firstInTip = version - tip.length + 1;
  const from = Math.max(fromVersion + 1, 2);
  if (from >= firstInTip) return tip.slice(from - firstInTip);
  const moved = new Map(await readMovedOutEvents(context, address));
  const events: Uint8Array[] = [];
  for (let number = from; number < firstInTip; number++) {
    const event = moved.get(number);
    if (event === undefined) throw damagedTask(idOf(address), new RangeError(`event ${number} is missing`));
    events.push(event);
  }
  return [...events, ...tip];
}

/**
 * Returns the events of a task with numbers above `fromVersion`. The submission item is read only if event 1, the
 * submission, is among them.
 *
 * @throws HoldfastError DATA_LOSS, STORE_CORRUPT if an event is missing or cannot be read.
 */
export async function historyOf(
  context: AwsContext,
  id: TaskId,
  fromVersion: number,
): Promise<readonly TaskEvent[]> {
  const address = addressOf(id);
  if (address === undefined) return [];
  const nowMs = context.clock.now();
  const wantsFirst = fromVersion < 1;
  const keys = wantsFirst ? [headKey(address), submissionKey(address)] : [headKey(address)];
  const found = await context.calls.get('read', keys, true);
  const head = ownHead(address, found.get(headKey(address)));
  if (head !== undefined && isExpired(head, nowMs)) return [];
  const events = await storedEventsFrom(context, address, head, fromVersion);
  const item = found.get(submissionKey(address));
  try {
    if (!wantsFirst) return events.map(decodeStoredEvent);
    if (item === undefined || numberOf(item.at) !== address.mark) return [];
    const { submission } = bodyOf(item);
    return submission.expiresAtMs <= nowMs ? [] : [submission.submitted, ...events.map(decodeStoredEvent)];
  } catch (thrown) {
    throw damagedTask(id, thrown);
  }
}
