import { asHoldfastError } from '../../../../core/errors.ts';
import { checkTransition } from '../../../../core/submission/check.ts';
import { lostRace } from '../../../../core/task/conflict.ts';
import type { Head } from '../../../../core/task/head.ts';
import { taskFields } from '../../../../ports/task-fields.ts';
import type { Change, TaskId, Transition, WriteOutcome } from '../../../../ports/task-store.ts';
import type { AwsContext } from '../context.ts';
import type { KnownTask } from '../items/known-tasks.ts';
import { isOwnWrite } from '../items/nonces.ts';
import { headOf, numberOf, ownHead } from '../items/rows.ts';
import { load, loadWithHead } from '../read/snapshots.ts';
import { addressOf, type ItemAddress } from '../schema/ids.ts';
import type { Item } from '../schema/keys.ts';
import { knownAfter, type PreparedWrite, prepare, updateOf, versionBefore } from './prepared-write.ts';
import { rejoinLane } from './rejoin-lane.ts';
import { renewOne } from './renew.ts';

const noSuchTask: WriteOutcome = { kind: 'conflict', current: undefined };

function conditionHolds({ expect }: Transition, head: Head): boolean {
  if ('revision' in expect) return head.revision === expect.revision;
  return (
    head.state === 'running' && head.fencingToken === expect.fencingToken && head.version === expect.version
  );
}

/**
 * Returns the outcome of a change that does not fit the task's number of events: a conflict, or an error if the
 * condition of the change holds and the change itself is not valid.
 */
async function answerMismatch(
  context: AwsContext,
  change: Transition,
  address: ItemAddress,
): Promise<WriteOutcome> {
  const loaded = await load(context, address, 'append');
  if (loaded === undefined) return noSuchTask;
  const { head } = loaded.snapshot;
  const error = conditionHolds(change, head) ? checkTransition(change, head.version) : undefined;
  return error === undefined ? { kind: 'conflict', current: loaded.snapshot } : { kind: 'failed', error };
}

/**
 * Returns true if a change of a task implies two different numbers of events before it, so that its condition can
 * never hold.
 */
function contradictsItself(change: Transition): boolean {
  const before = versionBefore(change);
  const { expect } = change;
  return 'revision' in expect ? expect.revision === 1 && before !== 1 : expect.version !== before;
}

async function knownBefore(
  context: AwsContext,
  change: Transition,
  address: ItemAddress,
): Promise<KnownTask | undefined> {
  const before = versionBefore(change);
  const known = context.knownTasks.get(change.id);
  if (known?.version === before) return known;
  const loaded = await load(context, address, 'append');
  return loaded?.known.version === before ? loaded.known : undefined;
}

function reportDone(
  context: AwsContext,
  prepared: PreparedWrite,
  head: Head,
  laneSeq: number | undefined,
): WriteOutcome {
  context.knownTasks.put(prepared.change.id, knownAfter(prepared, laneSeq));
  return { kind: 'done', head, laneSeq };
}

function claims({ events }: Transition): boolean {
  return events.some((event) => event.kind === 'claimed');
}

/**
 * Returns the outcome of a change that was refused because another change of the task was written first: a conflict
 * with the task's current state. Logs the worker in that state.
 */
async function reportConflict(
  context: AwsContext,
  { change, known }: PreparedWrite,
  current: Item | undefined,
  cause: Error,
): Promise<WriteOutcome> {
  const own = ownHead(known.address, current);
  const loaded = await loadWithHead(context, known.address, own, 'append');
  if (loaded === undefined) return noSuchTask;
  const { snapshot } = loaded;
  const err = lostRace(change.id, snapshot.head, cause);
  const { worker: winner } = snapshot.head;
  const line = { ...taskFields(snapshot), winner, refusal: cause.name, err };
  if (claims(change))
    context.log.info(line, 'a claim was refused: another change of the task was written first');
  else context.log.debug(line, 'a change of a task was refused because another change was written first');
  return { kind: 'conflict', current: snapshot };
}

async function writeUpdate(context: AwsContext, prepared: PreparedWrite): Promise<WriteOutcome> {
  const { change, known, nonce } = prepared;
  const { expect } = change;
  const { Key, ...update } = updateOf(context, prepared);
  const input = {
    ...update,
    Key: { ...Key },
    ReturnValues: 'revision' in expect ? 'NONE' : 'UPDATED_NEW',
  } as const;
  const result = await context.calls.update('append', input, claims(change) ? 'claim' : 'lease');
  if (!result.ok) {
    if (!isOwnWrite(result.current, nonce))
      return reportConflict(context, prepared, result.current, result.cause);
    // The response to this write was lost, the SDK sent the write again, and the second try found the item that the
    // first had written.
    return reportDone(context, prepared, headOf(result.current ?? {}), known.laneSeq);
  }
  const revision = 'revision' in expect ? expect.revision + 1 : (numberOf(result.item?.rv) ?? 0);
  return reportDone(context, prepared, { ...change.head, revision }, known.laneSeq);
}

async function appendTransition(
  context: AwsContext,
  change: Transition,
  address: ItemAddress,
): Promise<WriteOutcome> {
  const error = checkTransition(change, versionBefore(change));
  if (error !== undefined) return { kind: 'failed', error };
  if (contradictsItself(change)) return answerMismatch(context, change, address);
  const known = await knownBefore(context, change, address);
  const prepared = known && (await prepare(context, change, known));
  if (prepared === undefined) return answerMismatch(context, change, address);
  if (!change.rejoinLane || prepared.known.lane === undefined) return writeUpdate(context, prepared);
  const result = await rejoinLane(context, prepared, prepared.known.lane);
  if (result.ok) return reportDone(context, prepared, result.head, result.laneSeq);
  return reportConflict(context, prepared, result.current, result.cause);
}

async function appendOne(context: AwsContext, change: Change): Promise<WriteOutcome> {
  const address = addressOf(change.id);
  if (address === undefined) return noSuchTask;
  try {
    return change.kind === 'renewal'
      ? await renewOne(context, change, address)
      : await appendTransition(context, change, address);
  } catch (thrown) {
    return { kind: 'failed', error: asHoldfastError(thrown) };
  }
}

/**
 * Writes a batch of changes to tasks, each under its own condition. Changes of one task are written one after another,
 * changes of different tasks concurrently.
 */
export async function appendAll(context: AwsContext, batch: readonly Change[]): Promise<WriteOutcome[]> {
  const last = new Map<TaskId, Promise<WriteOutcome>>();
  const outcomes = batch.map((change) => {
    const before = last.get(change.id);
    const mine =
      before === undefined ? appendOne(context, change) : before.then(() => appendOne(context, change));
    last.set(change.id, mine);
    return mine;
  });
  return Promise.all(outcomes);
}
