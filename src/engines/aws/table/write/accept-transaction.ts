import type { CancellationReason } from '@aws-sdk/client-dynamodb';
import { asHoldfastError } from '../../../../core/errors.ts';
import { isKeyFree } from '../../../../core/submission/key.ts';
import type { Accepted, LaneKey } from '../../../../ports/task-store.ts';
import { storeContended } from '../../sdk/errors.ts';
import type { AwsContext } from '../context.ts';
import { isOwn } from '../items/nonces.ts';
import { loadedOf } from '../items/rows.ts';
import { advanceTail, movedOn, noTail, pastPointers, readTail, type Tail, tailOf } from '../read/lanes.ts';
import { anchorOf, newest } from '../read/snapshots.ts';
import { idOf } from '../schema/ids.ts';
import { type Item, laneTailKey } from '../schema/keys.ts';
import {
  type Action,
  actionCount,
  actionsOf,
  type Entry,
  entryOf,
  freshSnapshot,
  knownOfEntry,
  submissionOf,
} from './pending-acceptance.ts';

/** What of each acceptance came out, in its place. */
export type Answer = (entry: Entry, accepted: Accepted) => void;

/** A transaction has at most 100 items and 4 MB; of a lane at most 49 tasks, so that it always fits with the tail. */
const mostTasks = 49;
const mostActions = 99;
const mostBytes = 3_500_000;
/** Of a submission beside its spec: names, keys, tags, options. */
const otherBytes = 6_000;
/** Of one transaction that meets others at the tail of its lane. */
const tries = 12;
const refused = 'ConditionalCheckFailed';

/** `item`: the submission as it stands. */
export function fresh(context: AwsContext, entry: Entry, item: Item, laneSeq: number | undefined): Accepted {
  context.known.put(idOf(entry.place), knownOfEntry(entry, item, laneSeq));
  return { kind: 'fresh', snapshot: freshSnapshot(entry, laneSeq) };
}

/** Its own submission stood in its way: the answer to the write that put it there was lost. */
export function freshFound(context: AwsContext, entry: Entry, item: Item): Accepted {
  return fresh(context, entry, item, loadedOf(entry.place, item, undefined)?.snapshot.laneSeq);
}

/**
 * Who has the key. Where its newest task gives it up, or was deleted and its anchor not yet, nobody has: then the next
 * entry to try follows that task, or that anchor.
 */
export async function existing(
  context: AwsContext,
  entry: Entry,
  read?: Item,
): Promise<Accepted | { readonly kind: 'again'; readonly entry: Entry }> {
  const { acceptance, place, index } = entry;
  const anchor = read ?? (await anchorOf(context, place.slot));
  const found = anchor && (await newest(context, place.slot, anchor));
  if (found !== undefined && !isKeyFree(found.snapshot, acceptance.submission.acceptedAtMs)) {
    return { kind: 'existing', snapshot: found.snapshot };
  }
  const previous = found && { place: found.known.place, revision: found.snapshot.head.revision };
  return { kind: 'again', entry: entryOf(context, index, acceptance, place.slot, anchor, previous) };
}

/** As many of the first entries as fit into one transaction. */
function fitting(entries: readonly Entry[]): Entry[] {
  const taken: Entry[] = [];
  let actions = 0;
  let bytes = 0;
  for (const entry of entries) {
    actions += actionCount(entry);
    // At most; compressed it may be far less, which is not tried here.
    bytes += entry.acceptance.submission.spec.length + otherBytes;
    const full = taken.length === mostTasks || actions > mostActions || bytes > mostBytes;
    if (full && taken.length > 0) break;
    taken.push(entry);
  }
  return taken;
}

interface Sent {
  readonly entry: Entry;
  readonly item: Item;
  readonly laneSeq: number | undefined;
  readonly actions: readonly Action[];
}

function reasonOf(sent: Sent, reasons: readonly CancellationReason[]): Item | true | undefined {
  for (const [i, { role }] of sent.actions.entries()) {
    // A place that is taken says nothing of the task that was to have it.
    if (reasons[i]?.Code !== refused || role === 'pointer') continue;
    const item = reasons[i]?.Item;
    // A later generation's own item says nothing of who has the key; its anchor is read for that.
    return role === 'submission' && item?.pk !== undefined ? item : true;
  }
  return undefined;
}

function isPlaceTaken({ actions }: Sent, reasons: readonly CancellationReason[]): boolean {
  return actions.some(({ role }, i) => role === 'pointer' && reasons[i]?.Code === refused);
}

/** One transaction. Those whose condition failed are answered, or come again; the others come again without them. */
async function attempt(
  context: AwsContext,
  entries: readonly Entry[],
  lane: LaneKey | undefined,
  tail: Tail,
  answer: Answer,
): Promise<{ left: Entry[]; tail: Tail }> {
  const sent: Sent[] = entries.map((entry, i) => {
    const laneSeq = lane && tail.seq + i + 1;
    const item = submissionOf(context, entry, laneSeq);
    return { entry, item, laneSeq, actions: actionsOf(context, entry, item, laneSeq) };
  });
  const expiresAtMs = Math.max(...entries.map((entry) => entry.acceptance.submission.expiresAtMs));
  const items = sent.flatMap((one) => one.actions.map((action) => action.item));
  const next = movedOn(tail, entries.length, expiresAtMs);
  if (lane !== undefined) items.push(advanceTail(lane, tail, next));
  const transacted = await context.calls.transact('accept', items);
  if (transacted.ok) {
    for (const { entry, item, laneSeq } of sent) answer(entry, fresh(context, entry, item, laneSeq));
    return { left: [], tail: next };
  }
  const left: Entry[] = [];
  let from = 0;
  let placeTaken = false;
  for (const one of sent) {
    const reasons = transacted.reasons.slice(from, from + one.actions.length);
    from += one.actions.length;
    placeTaken ||= isPlaceTaken(one, reasons);
    const why = reasonOf(one, reasons);
    if (why === undefined) left.push(one.entry);
    else if (why !== true && isOwn(why, one.entry.nonce))
      answer(one.entry, freshFound(context, one.entry, why));
    else {
      const read = why !== true && one.entry.place.anchor ? why : undefined;
      const who = await existing(context, one.entry, read);
      if (who.kind === 'again') left.push(who.entry);
      else answer(one.entry, who);
    }
  }
  const last = transacted.reasons[from];
  if (last?.Code === refused) return { left, tail: tailOf(last.Item) };
  return { left, tail: lane && placeTaken ? await pastPointers(context, lane, tail) : tail };
}

async function commitInOrder(
  context: AwsContext,
  entries: readonly Entry[],
  lane: LaneKey | undefined,
  answer: Answer,
): Promise<void> {
  let waiting = [...entries];
  let tail: Tail = lane === undefined ? noTail : await readTail(context, lane);
  let fruitless = 0;
  while (waiting.length > 0) {
    const part = fitting(waiting);
    const rest = waiting.slice(part.length);
    const { left, tail: moved } = await attempt(context, part, lane, tail, answer);
    fruitless = left.length === part.length ? fruitless + 1 : 0;
    if (fruitless >= tries) throw storeContended(lane === undefined ? 'one key' : 'one lane');
    if (fruitless > 0) await context.calls.pause('accept', fruitless);
    waiting = [...left, ...rest];
    tail = moved;
  }
}

/**
 * Accepts in transactions, in the order given; those of one lane get the places at its tail. Every entry is answered:
 * one duplicate cancels its whole transaction, so it is dropped and the others are sent again.
 */
export async function commit(
  context: AwsContext,
  entries: readonly Entry[],
  lane: LaneKey | undefined,
  answer: Answer,
): Promise<void> {
  const answered = new Set<number>();
  const told: Answer = (entry, accepted) => {
    answered.add(entry.index);
    answer(entry, accepted);
  };
  const work = (): Promise<void> => commitInOrder(context, entries, lane, told);
  try {
    await (lane === undefined ? work() : context.mutex.run(laneTailKey(lane).pk.S ?? '', work));
  } catch (thrown) {
    const error = asHoldfastError(thrown);
    for (const entry of entries) if (!answered.has(entry.index)) answer(entry, { kind: 'failed', error });
  }
}
