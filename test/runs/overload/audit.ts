/** Reads from the table, when all is over, what became of the tasks that were acknowledged. */
import { openTable } from '../../../src/engines/aws/index.ts';
import { systemClock } from '../../../src/platform/clock.ts';
import { clientOf } from '../../stand-ins/dynoxide.ts';
import type { Place } from './process-messages.ts';

const batch = 100;

export interface Audit {
  /** Not there, or not succeeded. */
  readonly lost: number;
  /** Leases that ended before their worker settled. */
  readonly leasesLost: number;
  /** Claims that were given back or failed: none is expected. */
  readonly otherAttempts: number;
}

export async function audit(place: Place, ids: readonly string[]): Promise<Audit> {
  const clock = systemClock();
  const { store, close } = openTable({ table: place.table, clock, client: clientOf(place.dynamodb) });
  let [lost, leasesLost, otherAttempts] = [0, 0, 0];
  const different = [...new Set(ids)];
  for (let from = 0; from < different.length; from += batch) {
    const part = different.slice(from, from + batch);
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
