import { asHoldfastError } from '../../../../core/errors.ts';
import { checkSubmission } from '../../../../core/submission/check.ts';
import type { Acceptance, Accepted, LaneKey } from '../../../../ports/task-store.ts';
import type { AwsContext } from '../context.ts';
import { isOwn } from '../items/nonces.ts';
import { slotOf } from '../schema/ids.ts';
import { laneTailKey } from '../schema/keys.ts';
import { type Answer, commit, existing, fresh, freshFound } from './accept-transaction.ts';
import { type Entry, entryOf, hasHead, submissionOf } from './pending-acceptance.ts';

/** The commonest: a task that is ready at once, by one conditional write, which decides whose the key is. */
async function putOne(context: AwsContext, entry: Entry, answer: Answer): Promise<void> {
  const item = submissionOf(context, entry, undefined);
  const written = await context.calls.put('accept', {
    Item: item,
    ConditionExpression: 'attribute_not_exists(pk)',
  });
  if (written.ok) return answer(entry, fresh(context, entry, item, undefined));
  const { current } = written;
  if (current !== undefined && isOwn(current, entry.nonce))
    return answer(entry, freshFound(context, entry, current));
  const who = await existing(context, entry, current);
  if (who.kind === 'again') await commit(context, [who.entry], undefined, answer);
  else answer(entry, who);
}

async function acceptLoose(context: AwsContext, entry: Entry, answer: Answer): Promise<void> {
  if (hasHead(entry)) return commit(context, [entry], undefined, answer);
  try {
    await putOne(context, entry, answer);
  } catch (thrown) {
    answer(entry, { kind: 'failed', error: asHoldfastError(thrown) });
  }
}

type Indexed = readonly [index: number, acceptance: Acceptance];

/** Different keys: those without a lane at once, those of each lane in their order. */
async function acceptWave(context: AwsContext, wave: readonly Indexed[], answer: Answer): Promise<void> {
  const lanes = new Map<string, { lane: LaneKey; entries: Entry[] }>();
  const work: Promise<void>[] = [];
  for (const [index, acceptance] of wave) {
    const entry = entryOf(context, index, acceptance, slotOf(acceptance.submission.scope));
    const { lane } = entry;
    if (lane === undefined) {
      work.push(acceptLoose(context, entry, answer));
      continue;
    }
    const name = laneTailKey(lane).pk.S ?? '';
    const known = lanes.get(name);
    if (known === undefined) lanes.set(name, { lane, entries: [entry] });
    else known.entries.push(entry);
  }
  for (const one of lanes.values()) work.push(commit(context, one.entries, one.lane, answer));
  await Promise.all(work);
}

/** The first of each key, then the second, and so on: later ones of a key are judged against those before. */
function wavesOf(batch: readonly Acceptance[], results: readonly (Accepted | undefined)[]): Indexed[][] {
  const waves: Indexed[][] = [];
  const seen = new Map<string, number>();
  for (const [index, acceptance] of batch.entries()) {
    if (results[index] !== undefined) continue;
    const slot = slotOf(acceptance.submission.scope);
    const before = seen.get(slot) ?? 0;
    seen.set(slot, before + 1);
    const wave = waves[before] ?? [];
    waves[before] = wave;
    wave.push([index, acceptance]);
  }
  return waves;
}

export async function acceptAll(context: AwsContext, batch: readonly Acceptance[]): Promise<Accepted[]> {
  const results = batch.map(({ submission }): Accepted | undefined => {
    const error = checkSubmission(submission);
    return error && { kind: 'failed', error };
  });
  const answer: Answer = (entry, accepted) => {
    results[entry.index] = accepted;
  };
  for (const wave of wavesOf(batch, results)) await acceptWave(context, wave, answer);
  return results.map((result) => {
    if (result === undefined) throw new RangeError('an acceptance was left without an answer');
    return result;
  });
}
