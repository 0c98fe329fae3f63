import { checkProgress } from '../../../../core/submission/check.ts';
import type { Outcome, Renewal } from '../../../../ports/task-store.ts';
import type { AwsContext } from '../context.ts';
import { letterOf, progressText } from '../items/head-codec.ts';
import { isOwn } from '../items/nonces.ts';
import { headOf, n, numberOf, ownHead, s } from '../items/rows.ts';
import { withHead } from '../read/snapshots.ts';
import type { Place } from '../schema/ids.ts';
import { headKey } from '../schema/keys.ts';

/** A heartbeat: the lease's end, the progress and the revision, and nothing of the events. */
export async function renewOne(context: AwsContext, change: Renewal, place: Place): Promise<Outcome> {
  const error = checkProgress(change.progress);
  if (error !== undefined) return { kind: 'failed', error };
  const nonce = context.nonces.next();
  const progress = change.progress === undefined ? {} : { ':pr': s(progressText(change.progress)) };
  const sets = [
    'le = :le',
    'rv = rv + :one',
    'n = :n',
    ...(change.progress === undefined ? [] : ['pr = :pr']),
  ];
  const written = await context.calls.update('renew', {
    Key: { ...headKey(place) },
    UpdateExpression: `SET ${sets.join(', ')}`,
    // Never twice, though it would hold twice: where the answer was lost, the one that was sent again meets itself.
    ConditionExpression: '#at = :at AND st = :running AND tk = :token AND n <> :n',
    ExpressionAttributeNames: { '#at': 'at' },
    ExpressionAttributeValues: {
      ':le': n(change.leaseEndAtMs),
      ':one': n(1),
      ':n': nonce,
      ':at': n(place.mark),
      ':running': s(letterOf('running')),
      ':token': n(change.expect.fencingToken),
      ...progress,
    },
    ReturnValues: 'ALL_NEW',
  });
  const item = written.ok ? written.item : isOwn(written.current, nonce) ? written.current : undefined;
  if (item !== undefined) return { kind: 'done', head: headOf(item), laneSeq: numberOf(item.q) };
  const current = written.ok ? undefined : written.current;
  const loaded = await withHead(context, place, ownHead(place, current), 'renew');
  return { kind: 'refused', current: loaded?.snapshot };
}
