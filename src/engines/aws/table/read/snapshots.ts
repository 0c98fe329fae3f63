import type { Snapshot, StandingHead, TaskId } from '../../../../ports/task-store.ts';
import type { AwsContext } from '../context.ts';
import { headOf, isGone, type Loaded, loadedOf, newestOf, numberOf, ownHead } from '../items/rows.ts';
import type { CallKind } from '../meter.ts';
import { idOf, type Place, placeOf } from '../schema/ids.ts';
import { anchorKey, headKey, type Item, submissionKey } from '../schema/keys.ts';

function remembered(context: AwsContext, loaded: Loaded | undefined): Loaded | undefined {
  if (loaded !== undefined) context.known.put(loaded.snapshot.id, loaded.known);
  return loaded;
}

/** Submission and head of each, by consistent reads; undefined where there is none. */
export async function loadAll(
  context: AwsContext,
  places: readonly (Place | undefined)[],
  kind: CallKind = 'read',
): Promise<(Loaded | undefined)[]> {
  const keys = places.flatMap((place) => (place === undefined ? [] : [submissionKey(place), headKey(place)]));
  if (keys.length === 0) return places.map(() => undefined);
  const found = await context.calls.get(kind, keys, true);
  return places.map((place) =>
    place === undefined
      ? undefined
      : remembered(context, loadedOf(place, found.at(submissionKey(place)), found.at(headKey(place)))),
  );
}

/** For lists: where something else wrote into a task, it is told in the log and left out, and the others are there. */
export async function loadWhole(
  context: AwsContext,
  places: readonly (Place | undefined)[],
): Promise<(Loaded | undefined)[]> {
  const known = places.filter((place) => place !== undefined);
  const keys = known.flatMap((place) => [submissionKey(place), headKey(place)]);
  const found = await context.calls.get('list', keys, true);
  return places.map((place) => {
    if (place === undefined) return undefined;
    try {
      return remembered(context, loadedOf(place, found.at(submissionKey(place)), found.at(headKey(place))));
    } catch (err) {
      context.log.error({ task_id: idOf(place), err }, 'a task that is damaged was left out of a list');
      return undefined;
    }
  });
}

export async function load(
  context: AwsContext,
  place: Place,
  kind: CallKind = 'read',
): Promise<Loaded | undefined> {
  const [loaded] = await loadAll(context, [place], kind);
  return loaded;
}

/** A submission never changes, so whatever a replica has of it is right. */
async function submissions(
  context: AwsContext,
  places: readonly Place[],
  kind: CallKind,
): Promise<(Item | undefined)[]> {
  const found = await context.calls.get(kind, places.map(submissionKey), false);
  return places.map((place) => {
    const item = found.at(submissionKey(place));
    return item !== undefined && numberOf(item.at) === place.mark ? item : undefined;
  });
}

/** A task whose head is at hand (undefined: it was never claimed), as a refused write returns it. */
export async function withHead(
  context: AwsContext,
  place: Place,
  head: Item | undefined,
  kind: CallKind,
): Promise<Loaded | undefined> {
  const [item] = await submissions(context, [place], kind);
  // Too young for the replica that was asked, or gone.
  if (item === undefined) return load(context, place, kind);
  return remembered(context, loadedOf(place, item, head));
}

/** The key's newest task, given its anchor. Undefined where it was deleted. */
export async function newest(context: AwsContext, slot: string, anchor: Item): Promise<Loaded | undefined> {
  const place: Place = { slot, mark: numberOf(anchor.at) ?? 0, anchor: true };
  const newestPlace = newestOf(anchor, place);
  if (!newestPlace.anchor) return load(context, newestPlace);
  const found = await context.calls.get('read', [headKey(place)], true);
  return remembered(context, loadedOf(place, anchor, found.at(headKey(place))));
}

/** The anchor of a slot, by a consistent read. */
export async function anchorOf(context: AwsContext, slot: string): Promise<Item | undefined> {
  const found = await context.calls.get('read', [anchorKey(slot)], true);
  return found.at(anchorKey(slot));
}

/**
 * As each was submitted, where it was ready from then on: a read of what never changes, by which a first claim presumes
 * that nobody was there before. Others are read as they stand.
 */
export async function readAllAsSubmitted(
  context: AwsContext,
  ids: readonly TaskId[],
): Promise<(Snapshot | undefined)[]> {
  const places = ids.map(placeOf);
  const known = places.filter((place) => place !== undefined);
  const items = await submissions(context, known, 'read');
  const asSubmitted = new Map<TaskId, Snapshot>();
  const others: Place[] = [];
  for (const [i, place] of known.entries()) {
    const loaded = loadedOf(place, items[i], undefined);
    const { head } = loaded?.snapshot ?? {};
    if (loaded === undefined || head?.waitUntilMs !== undefined) others.push(place);
    else {
      const { id } = loaded.snapshot;
      if (context.known.get(id) === undefined) remembered(context, loaded);
      asSubmitted.set(id, loaded.snapshot);
    }
  }
  for (const loaded of await loadAll(context, others)) {
    if (loaded !== undefined) asSubmitted.set(loaded.snapshot.id, loaded.snapshot);
  }
  return places.map((place) => place && asSubmitted.get(idOf(place)));
}

/** Heads alone, by consistent reads: a unit each, however large the payload. */
export async function standingHeads(
  context: AwsContext,
  places: readonly (Place | undefined)[],
  nowMs: number,
): Promise<(StandingHead | undefined)[]> {
  const keys = places.flatMap((place) => (place === undefined ? [] : [headKey(place)]));
  const found = await context.calls.get('read', keys, true);
  return places.map((place) => {
    const item = place && ownHead(place, found.at(headKey(place)));
    return item === undefined || isGone(item, nowMs) ? undefined : headOf(item);
  });
}
