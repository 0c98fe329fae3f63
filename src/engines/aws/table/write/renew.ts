import { checkProgress } from '../../../../core/submission/check.ts';
import type { LeaseRenewal, WriteOutcome } from '../../../../ports/task-store.ts';
import type { AwsContext } from '../context.ts';
import { letterOf, progressText } from '../items/head-codec.ts';
import { isOwnWrite } from '../items/nonces.ts';
import { headOf, n, numberOf, ownHead, s } from '../items/rows.ts';
import { loadWithHead } from '../read/snapshots.ts';
import type { ItemAddress } from '../schema/ids.ts';
import { headKey } from '../schema/keys.ts';

/** Writes a heartbeat: the lease's end, that the attempt has begun, the progress and the revision. The events are not touched. */
export async function renewOne(
  context: AwsContext,
  change: LeaseRenewal,
  address: ItemAddress,
): Promise<WriteOutcome> {
  const error = checkProgress(change.progress);
  if (error !== undefined) return { kind: 'failed', error };
  const nonce = context.nonces.next();
  const progress = change.progress === undefined ? {} : { ':pr': s(progressText(change.progress)) };
  const sets = [
    'le = :le',
    'rv = rv + :one',
    'n = :n',
    ...(change.begun ? ['bg = :one'] : []),
    ...(change.progress === undefined ? [] : ['pr = :pr']),
  ];
  const result = await context.calls.update('renew', {
    Key: { ...headKey(address) },
    UpdateExpression: `SET ${sets.join(', ')}`,
    // `n <> :n` refuses a heartbeat that was written already: if the response is lost, the SDK sends the write again,
    // and the second try finds its own nonce.
    ConditionExpression: '#at = :at AND st = :running AND tk = :token AND n <> :n',
    ExpressionAttributeNames: { '#at': 'at' },
    ExpressionAttributeValues: {
      ':le': n(change.leaseEndAtMs),
      ':one': n(1),
      ':n': nonce,
      ':at': n(address.mark),
      ':running': s(letterOf('running')),
      ':token': n(change.expect.fencingToken),
      ...progress,
    },
    ReturnValues: 'ALL_NEW',
  });
  const item = result.ok ? result.item : isOwnWrite(result.current, nonce) ? result.current : undefined;
  if (item !== undefined) return { kind: 'done', head: headOf(item), laneSeq: numberOf(item.q) };
  const current = result.ok ? undefined : result.current;
  const loaded = await loadWithHead(context, address, ownHead(address, current), 'renew');
  return { kind: 'conflict', current: loaded?.snapshot };
}
