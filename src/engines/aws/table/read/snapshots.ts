import type { HeadSummary, Snapshot, TaskId } from '../../../../ports/task-store.ts';
import type { AwsContext } from '../context.ts';
import {
  headOf,
  isExpired,
  type LoadedTask,
  loadedTaskOf,
  newestAddressOf,
  numberOf,
  ownHead,
} from '../items/rows.ts';
import type { CallKind } from '../meter.ts';
import { addressOf, type ItemAddress, idOf } from '../schema/ids.ts';
import { anchorKey, headKey, type Item, submissionKey } from '../schema/keys.ts';

function remember(context: AwsContext, loaded: LoadedTask | undefined): LoadedTask | undefined {
  if (loaded !== undefined) context.knownTasks.put(loaded.snapshot.id, loaded.known);
  return loaded;
}

/**
 * Reads the submission and the head of each task, consistently. The result is undefined for a task that does not
 * exist.
 */
export async function loadAll(
  context: AwsContext,
  addresses: readonly (ItemAddress | undefined)[],
  kind: CallKind = 'read',
): Promise<(LoadedTask | undefined)[]> {
  const keys = addresses.flatMap((address) =>
    address === undefined ? [] : [submissionKey(address), headKey(address)],
  );
  if (keys.length === 0) return addresses.map(() => undefined);
  const found = await context.calls.get(kind, keys, true);
  return addresses.map((address) =>
    address === undefined
      ? undefined
      : remember(
          context,
          loadedTaskOf(address, found.get(submissionKey(address)), found.get(headKey(address))),
        ),
  );
}

/** Loads tasks for a list. A damaged task is logged and left out, so that the other tasks are still listed. */
export async function loadReadable(
  context: AwsContext,
  addresses: readonly (ItemAddress | undefined)[],
): Promise<(LoadedTask | undefined)[]> {
  const known = addresses.filter((address) => address !== undefined);
  const keys = known.flatMap((address) => [submissionKey(address), headKey(address)]);
  const found = await context.calls.get('list', keys, true);
  return addresses.map((address) => {
    if (address === undefined) return undefined;
    try {
      return remember(
        context,
        loadedTaskOf(address, found.get(submissionKey(address)), found.get(headKey(address))),
      );
    } catch (err) {
      context.log.error({ task_id: idOf(address), err }, 'a damaged task was left out of a list');
      return undefined;
    }
  });
}

export async function load(
  context: AwsContext,
  address: ItemAddress,
  kind: CallKind = 'read',
): Promise<LoadedTask | undefined> {
  const [loaded] = await loadAll(context, [address], kind);
  return loaded;
}

/**
 * Loads a task that other reads did not find although the anchor names it. The transaction that wrote both may still be in
 * progress, and its items then become visible one after the other; this read sees all of them or conflicts. Without it, a
 * third task could get an idempotency key while the second task has it.
 */
async function loadInTransaction(context: AwsContext, address: ItemAddress): Promise<LoadedTask | undefined> {
  const [submission, head] = [submissionKey(address), headKey(address)];
  const found = await context.calls.transactGet('read', [submission, head]);
  return remember(context, loadedTaskOf(address, found.get(submission), found.get(head)));
}

/**
 * Reads submission items from any DynamoDB replica. A submission never changes, so the copy of every replica is right.
 */
async function readSubmissions(
  context: AwsContext,
  addresses: readonly ItemAddress[],
  kind: CallKind,
): Promise<(Item | undefined)[]> {
  const found = await context.calls.get(kind, addresses.map(submissionKey), false);
  return addresses.map((address) => {
    const item = found.get(submissionKey(address));
    return item !== undefined && numberOf(item.at) === address.mark ? item : undefined;
  });
}

/**
 * Loads a task whose head item is known already because a refused write returned it. An undefined `head` means that
 * the task was never claimed.
 */
export async function loadWithHead(
  context: AwsContext,
  address: ItemAddress,
  head: Item | undefined,
  kind: CallKind,
): Promise<LoadedTask | undefined> {
  const [item] = await readSubmissions(context, [address], kind);
  // The replica that answered may not have this new submission yet, or the submission was deleted.
  if (item === undefined) return load(context, address, kind);
  return remember(context, loadedTaskOf(address, item, head));
}

/**
 * Loads the newest task of an idempotency key, given the key's anchor (the submission item of its first task). Returns
 * undefined if the newest task was deleted.
 */
export async function loadNewest(
  context: AwsContext,
  slot: string,
  anchor: Item,
): Promise<LoadedTask | undefined> {
  const address: ItemAddress = { slot, mark: numberOf(anchor.at) ?? 0, anchor: true };
  const newestAddress = newestAddressOf(anchor, address);
  if (!newestAddress.anchor) {
    return (await load(context, newestAddress)) ?? loadInTransaction(context, newestAddress);
  }
  const found = await context.calls.get('read', [headKey(address)], true);
  return remember(context, loadedTaskOf(address, anchor, found.get(headKey(address))));
}

/** Reads the anchor of a slot, which is the submission item of the first task of an idempotency key, consistently. */
export async function readAnchor(context: AwsContext, slot: string): Promise<Item | undefined> {
  const found = await context.calls.get('read', [anchorKey(slot)], true);
  return found.get(anchorKey(slot));
}

/**
 * Reads tasks as they were submitted, if they were ready at once. This needs only the submission item, which never
 * changes; a first claim assumes that nobody claimed the task before. Tasks that were not ready at once are read in
 * their current state.
 */
export async function readAllAsSubmitted(
  context: AwsContext,
  ids: readonly TaskId[],
): Promise<(Snapshot | undefined)[]> {
  const addresses = ids.map(addressOf);
  const known = addresses.filter((address) => address !== undefined);
  const items = await readSubmissions(context, known, 'read');
  const asSubmitted = new Map<TaskId, Snapshot>();
  const others: ItemAddress[] = [];
  for (const [i, address] of known.entries()) {
    const loaded = loadedTaskOf(address, items[i], undefined);
    const { head } = loaded?.snapshot ?? {};
    if (loaded === undefined || head?.waitUntilMs !== undefined) others.push(address);
    else {
      const { id } = loaded.snapshot;
      if (context.knownTasks.get(id) === undefined) remember(context, loaded);
      asSubmitted.set(id, loaded.snapshot);
    }
  }
  for (const loaded of await loadAll(context, others)) {
    if (loaded !== undefined) asSubmitted.set(loaded.snapshot.id, loaded.snapshot);
  }
  return addresses.map((address) => address && asSubmitted.get(idOf(address)));
}

/**
 * Reads only the heads of tasks, consistently. Each head costs one read unit, however large the payload of the task
 * is.
 */
export async function readHeads(
  context: AwsContext,
  addresses: readonly (ItemAddress | undefined)[],
  nowMs: number,
): Promise<(HeadSummary | undefined)[]> {
  const keys = addresses.flatMap((address) => (address === undefined ? [] : [headKey(address)]));
  const found = await context.calls.get('read', keys, true);
  return addresses.map((address) => {
    const item = address && ownHead(address, found.get(headKey(address)));
    return item === undefined || isExpired(item, nowMs) ? undefined : headOf(item);
  });
}
