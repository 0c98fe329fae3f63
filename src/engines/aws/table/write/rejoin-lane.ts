import type { Head } from '../../../../core/task/head.ts';
import type { LaneKey } from '../../../../ports/task-store.ts';
import { storeContended } from '../../sdk/errors.ts';
import type { AwsContext } from '../context.ts';
import { isOwn } from '../items/nonces.ts';
import { headOf, numberOf } from '../items/rows.ts';
import { advanceTail, movedOn, pastPointers, putPointer, readTail, tailOf } from '../read/lanes.ts';
import { type Item, laneTailKey } from '../schema/keys.ts';
import { updateOf, type Writing } from './prepared-write.ts';

export type Joined =
  | { readonly ok: true; readonly head: Head; readonly laneSeq: number | undefined }
  | { readonly ok: false; readonly current: Item | undefined; readonly cause: Error };

const tries = 8;
const refusedBy = 'ConditionalCheckFailed';

/** A transition with a new place at the tail of its lane, in one transaction. */
export async function joinAnew(context: AwsContext, writing: Writing, lane: LaneKey): Promise<Joined> {
  return context.mutex.run(laneTailKey(lane).pk.S ?? '', async () => {
    const { change, known, nonce } = writing;
    let tail = await readTail(context, lane);
    for (let i = 0; i < tries; i++) {
      const laneSeq = tail.seq + 1;
      const { Key, ...update } = updateOf(context, writing, laneSeq);
      const transacted = await context.calls.transact('append', [
        { Update: { TableName: undefined, Key: { ...Key }, ...update } },
        advanceTail(lane, tail, movedOn(tail, 1, known.expiresAtMs)),
        putPointer(lane, laneSeq, change.id, known.expiresAtMs),
      ]);
      if (transacted.ok) {
        const revision = 'revision' in change.expect ? change.expect.revision + 1 : 0;
        return { ok: true, head: { ...change.head, revision }, laneSeq };
      }
      const [head, moved] = transacted.reasons;
      if (head?.Code === refusedBy) {
        if (!isOwn(head.Item, nonce)) return { ok: false, current: head.Item, cause: transacted.cause };
        return { ok: true, head: headOf(head.Item ?? {}), laneSeq: numberOf(head.Item?.q) };
      }
      // Else the place is somebody's.
      tail = moved?.Code === refusedBy ? tailOf(moved.Item) : await pastPointers(context, lane, tail);
      await context.calls.pause('append', i);
    }
    throw storeContended('one lane');
  });
}
