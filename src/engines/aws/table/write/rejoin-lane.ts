import type { Head } from '../../../../core/task/head.ts';
import type { LaneKey } from '../../../../ports/task-store.ts';
import { storeContended } from '../../sdk/errors.ts';
import type { AwsContext } from '../context.ts';
import { isOwnWrite } from '../items/nonces.ts';
import { headOf, numberOf } from '../items/rows.ts';
import { advanceTail, putPointer, readTail, tailAfter, tailOf, tailPastPointers } from '../read/lanes.ts';
import { type Item, laneTailKey } from '../schema/keys.ts';
import { type PreparedWrite, updateOf } from './prepared-write.ts';

/**
 * Result of a change (such as a redrive) that gives a task a new place in its lane. `current` is the stored head that
 * made the condition fail.
 */
export type RejoinResult =
  | { readonly ok: true; readonly head: Head; readonly laneSeq: number | undefined }
  | { readonly ok: false; readonly current: Item | undefined; readonly cause: Error };

const tries = 8;
const refusedBy = 'ConditionalCheckFailed';

/** Writes a change of a task and a new place at the tail of the task's lane, in one transaction. */
export async function rejoinLane(
  context: AwsContext,
  prepared: PreparedWrite,
  lane: LaneKey,
): Promise<RejoinResult> {
  return context.mutex.run(laneTailKey(lane).pk.S ?? '', async () => {
    const { change, known, nonce } = prepared;
    let tail = await readTail(context, lane);
    for (let i = 0; i < tries; i++) {
      const laneSeq = tail.seq + 1;
      const { Key, ...update } = updateOf(context, prepared, laneSeq);
      const result = await context.calls.transact('append', [
        { Update: { TableName: undefined, Key: { ...Key }, ...update } },
        advanceTail(lane, tail, tailAfter(tail, 1, known.expiresAtMs)),
        putPointer(lane, laneSeq, change.id, known.expiresAtMs),
      ]);
      if (result.ok) {
        const revision = 'revision' in change.expect ? change.expect.revision + 1 : 0;
        return { ok: true, head: { ...change.head, revision }, laneSeq };
      }
      const [head, moved] = result.reasons;
      if (head?.Code === refusedBy) {
        if (!isOwnWrite(head.Item, nonce)) return { ok: false, current: head.Item, cause: result.cause };
        return { ok: true, head: headOf(head.Item ?? {}), laneSeq: numberOf(head.Item?.q) };
      }
      // If the stored tail of the lane was still as it was read, another task has taken the new place already.
      tail = moved?.Code === refusedBy ? tailOf(moved.Item) : await tailPastPointers(context, lane, tail);
      await context.calls.pause('append', i);
    }
    throw storeContended('one lane');
  });
}
