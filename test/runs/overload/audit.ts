/** Reads the acknowledged tasks from the table after the run. */
import { openTable } from '../../../src/engines/aws/index.ts';
import { systemClock } from '../../../src/platform/clock.ts';
import { clientOf } from '../../stand-ins/dynoxide.ts';
import type { OverloadAddress } from './process-messages.ts';

const batch = 100;

export interface Audit {
  /** The number of acknowledged tasks that do not exist or did not succeed. */
  readonly lost: number;
  /** The number of leases that expired before their worker settled the task. */
  readonly leasesLost: number;
  /** The number of attempts that failed or were released. No such attempt is expected. */
  readonly otherAttempts: number;
}

export async function audit(address: OverloadAddress, ids: readonly string[]): Promise<Audit> {
  const clock = systemClock();
  const { store, close } = openTable({ table: address.table, clock, client: clientOf(address.dynamodb) });
  let [lost, leasesLost, otherAttempts] = [0, 0, 0];
  const uniqueIds = [...new Set(ids)];
  for (let from = 0; from < uniqueIds.length; from += batch) {
    const part = uniqueIds.slice(from, from + batch);
    for (const snapshot of await store.read(part, clock.now())) {
      if (snapshot?.head.state !== 'succeeded') lost++;
      const kinds = snapshot?.tip.map(({ kind }) => kind) ?? [];
      leasesLost += kinds.filter((kind) => kind === 'leaseExpired').length;
      otherAttempts += kinds.filter((kind) => kind === 'claimReleased' || kind === 'failed').length;
    }
  }
  await close();
  return { lost, leasesLost, otherAttempts };
}
