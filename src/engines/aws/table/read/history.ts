import type { TaskEvent } from '../../../../core/task/event.ts';
import type { TaskId } from '../../../../ports/task-store.ts';
import { damagedTask } from '../../sdk/errors.ts';
import type { AwsContext } from '../context.ts';
import { unchained } from '../items/hash-chain.ts';
import { bodyOf, isGone, numberOf, ownHead, storedEvents } from '../items/rows.ts';
import { idOf, type Place, placeOf } from '../schema/ids.ts';
import { headKey, type Item, submissionKey } from '../schema/keys.ts';
import { movedOut } from './overflow.ts';

/** The stored events from number 2 on, those that a full tip gave up included. */
async function stored(
  context: AwsContext,
  place: Place,
  head: Item | undefined,
  fromVersion: number,
): Promise<Uint8Array[]> {
  const tip = storedEvents(head);
  const version = numberOf(head?.v) ?? 1;
  const firstInTip = version - tip.length + 1;
  const from = Math.max(fromVersion + 1, 2);
  if (from >= firstInTip) return tip.slice(from - firstInTip);
  const moved = new Map(await movedOut(context, place));
  const events: Uint8Array[] = [];
  for (let number = from; number < firstInTip; number++) {
    const event = moved.get(number);
    if (event === undefined) throw damagedTask(idOf(place), new RangeError(`event ${number} is missing`));
    events.push(event);
  }
  return [...events, ...tip];
}

/**
 * Events after a version. Only the first one needs the submission.
 *
 * @throws HoldfastError DATA_LOSS, STORE_CORRUPT: one is missing or cannot be read.
 */
export async function historyOf(
  context: AwsContext,
  id: TaskId,
  fromVersion: number,
): Promise<readonly TaskEvent[]> {
  const place = placeOf(id);
  if (place === undefined) return [];
  const nowMs = context.clock.now();
  const wantsFirst = fromVersion < 1;
  const keys = wantsFirst ? [headKey(place), submissionKey(place)] : [headKey(place)];
  const found = await context.calls.get('read', keys, true);
  const head = ownHead(place, found.at(headKey(place)));
  if (head !== undefined && isGone(head, nowMs)) return [];
  const events = await stored(context, place, head, fromVersion);
  const item = found.at(submissionKey(place));
  try {
    if (!wantsFirst) return events.map(unchained);
    if (item === undefined || numberOf(item.at) !== place.mark) return [];
    const { submission } = bodyOf(item);
    return submission.expiresAtMs <= nowMs ? [] : [submission.submitted, ...events.map(unchained)];
  } catch (thrown) {
    throw damagedTask(id, thrown);
  }
}
