/** Compares the receiver's ledger with the server's own events. */
import { readFileSync } from 'node:fs';
import type { Client } from 'holdfast';
import type { Delivery } from './contract.ts';
import type { Entry } from './receiver.ts';

export interface Audit {
  readonly succeeded: number;
  readonly dead: number;
  readonly attempts: number;
  readonly leasesLost: number;
  readonly deliveries: number;
  readonly outOfOrder: number;
  /** Accepted and without an end, or ended as a success that the ledger does not know. */
  readonly lost: number;
}

export function readLedger(file: string): Entry[] {
  const text = readFileSync(file, 'utf8');
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Entry);
}

/** First deliveries of each lane that came before one submitted earlier. */
function outOfOrder(ledger: readonly Entry[]): number {
  const seen = new Set<string>();
  const latest = new Map<string, string>();
  let wrong = 0;
  for (const { delivery, lane } of ledger) {
    if (lane === '' || seen.has(delivery)) continue;
    seen.add(delivery);
    if (delivery < (latest.get(lane) ?? '')) wrong++;
    else latest.set(lane, delivery);
  }
  return wrong;
}

export async function audit(
  client: Client,
  ids: ReadonlyMap<string, string>,
  sent: readonly Delivery[],
  ledgerFile: string,
): Promise<Audit> {
  const ledger = readLedger(ledgerFile);
  const delivered = new Set(ledger.map((entry) => entry.delivery));
  let [succeeded, dead, attempts, leasesLost, lost] = [0, 0, 0, 0, 0];
  for (const { delivery } of sent) {
    const id = ids.get(delivery);
    if (id === undefined) continue;
    const { state } = await client.get(id);
    if (state === 'succeeded') succeeded++;
    if (state === 'dead') dead++;
    const ended = state === 'succeeded' || state === 'dead' || state === 'cancelled';
    if (!ended || (state === 'succeeded' && !delivered.has(delivery))) lost++;
    for await (const event of client.task(id).events()) {
      if (event.type === 'claimed') attempts++;
      if (event.type === 'leaseExpired') leasesLost++;
      if (!ended) break;
    }
  }
  return {
    succeeded,
    dead,
    attempts,
    leasesLost,
    deliveries: ledger.length,
    outOfOrder: outOfOrder(ledger),
    lost,
  };
}
