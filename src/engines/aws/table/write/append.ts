import { asHoldfastError } from '../../../../core/errors.ts';
import { checkTransition } from '../../../../core/submission/check.ts';
import { lostRace } from '../../../../core/task/conflict.ts';
import type { Head } from '../../../../core/task/head.ts';
import type { Change, Outcome, TaskId, Transition } from '../../../../ports/task-store.ts';
import type { AwsContext } from '../context.ts';
import type { Known } from '../items/known-tasks.ts';
import { isOwn } from '../items/nonces.ts';
import { headOf, numberOf, ownHead } from '../items/rows.ts';
import { load, withHead } from '../read/snapshots.ts';
import { type Place, placeOf } from '../schema/ids.ts';
import type { Item } from '../schema/keys.ts';
import { knownAfter, prepare, updateOf, versionBefore, type Writing } from './prepared-write.ts';
import { joinAnew } from './rejoin-lane.ts';
import { renewOne } from './renew.ts';

const nobody: Outcome = { kind: 'refused', current: undefined };

function isMet({ expect }: Transition, head: Head): boolean {
  if ('revision' in expect) return head.revision === expect.revision;
  return (
    head.state === 'running' && head.fencingToken === expect.fencingToken && head.version === expect.version
  );
}

/** What a change that does not fit the task's number of events is: refused, or at fault where its condition holds. */
async function judge(context: AwsContext, change: Transition, place: Place): Promise<Outcome> {
  const loaded = await load(context, place, 'append');
  if (loaded === undefined) return nobody;
  const { head } = loaded.snapshot;
  const error = isMet(change, head) ? checkTransition(change, head.version) : undefined;
  return error === undefined ? { kind: 'refused', current: loaded.snapshot } : { kind: 'failed', error };
}

/** Where the change names two numbers of events, no condition can hold for both. */
function contradictsItself(change: Transition): boolean {
  const before = versionBefore(change);
  const { expect } = change;
  return 'revision' in expect ? expect.revision === 1 && before !== 1 : expect.version !== before;
}

async function knownBefore(
  context: AwsContext,
  change: Transition,
  place: Place,
): Promise<Known | undefined> {
  const before = versionBefore(change);
  const known = context.known.get(change.id);
  if (known?.version === before) return known;
  const loaded = await load(context, place, 'append');
  return loaded?.known.version === before ? loaded.known : undefined;
}

function done(context: AwsContext, writing: Writing, head: Head, laneSeq: number | undefined): Outcome {
  context.known.put(writing.change.id, knownAfter(writing, laneSeq));
  return { kind: 'done', head, laneSeq };
}

function claims({ events }: Transition): boolean {
  return events.some((event) => event.kind === 'claimed');
}

/** The loser's side of a race: what stands, and a line that names the winner. */
async function refused(
  context: AwsContext,
  { change, known }: Writing,
  current: Item | undefined,
  cause: Error,
): Promise<Outcome> {
  const own = ownHead(known.place, current);
  const loaded = await withHead(context, known.place, own, 'append');
  if (loaded === undefined) return nobody;
  const { snapshot } = loaded;
  const { queue } = snapshot.submission.scope;
  const { attempt, worker } = snapshot.head;
  const err = lostRace(change.id, snapshot.head, cause);
  const line = { task_id: change.id, queue, attempt, winner: worker, refusal: cause.name, err };
  if (claims(change)) context.log.info(line, 'a claim lost its race');
  else context.log.debug(line, 'a change lost its race');
  return { kind: 'refused', current: snapshot };
}

async function write(context: AwsContext, writing: Writing): Promise<Outcome> {
  const { change, known, nonce } = writing;
  const { expect } = change;
  const { Key, ...update } = updateOf(context, writing);
  const input = {
    ...update,
    Key: { ...Key },
    ReturnValues: 'revision' in expect ? 'NONE' : 'UPDATED_NEW',
  } as const;
  const written = await context.calls.update('append', input, claims(change) ? 'claim' : 'lease');
  if (!written.ok) {
    if (!isOwn(written.current, nonce)) return refused(context, writing, written.current, written.cause);
    // The answer to this very write was lost, and it was sent again.
    return done(context, writing, headOf(written.current ?? {}), known.laneSeq);
  }
  const revision = 'revision' in expect ? expect.revision + 1 : (numberOf(written.item?.rv) ?? 0);
  return done(context, writing, { ...change.head, revision }, known.laneSeq);
}

async function transit(context: AwsContext, change: Transition, place: Place): Promise<Outcome> {
  const error = checkTransition(change, versionBefore(change));
  if (error !== undefined) return { kind: 'failed', error };
  if (contradictsItself(change)) return judge(context, change, place);
  const known = await knownBefore(context, change, place);
  const writing = known && (await prepare(context, change, known));
  if (writing === undefined) return judge(context, change, place);
  if (!change.rejoinLane || writing.known.lane === undefined) return write(context, writing);
  const joined = await joinAnew(context, writing, writing.known.lane);
  if (joined.ok) return done(context, writing, joined.head, joined.laneSeq);
  return refused(context, writing, joined.current, joined.cause);
}

async function appendOne(context: AwsContext, change: Change): Promise<Outcome> {
  const place = placeOf(change.id);
  if (place === undefined) return nobody;
  try {
    return change.kind === 'renewal'
      ? await renewOne(context, change, place)
      : await transit(context, change, place);
  } catch (thrown) {
    return { kind: 'failed', error: asHoldfastError(thrown) };
  }
}

/** Changes of one task in turn, those of different tasks at once; each under its own condition. */
export async function appendAll(context: AwsContext, batch: readonly Change[]): Promise<Outcome[]> {
  const last = new Map<TaskId, Promise<Outcome>>();
  const outcomes = batch.map((change) => {
    const before = last.get(change.id);
    const mine =
      before === undefined ? appendOne(context, change) : before.then(() => appendOne(context, change));
    last.set(change.id, mine);
    return mine;
  });
  return Promise.all(outcomes);
}
