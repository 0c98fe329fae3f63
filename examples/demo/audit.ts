/**
 * Compares the webhook deliveries that the demo's receiver recorded in its ledger file with the task events of the
 * server.
 */
import { readFileSync } from 'node:fs';
import type { Client } from 'holdfast';
import type { Delivery } from './contract.ts';
import type { LedgerEntry } from './receiver.ts';

/** The counts of the audit at the end of the demo. */
export interface Audit {
  readonly succeeded: number;
  readonly dead: number;
  /** The number of claims over all tasks. */
  readonly attempts: number;
  readonly leasesLost: number;
  /** The number of deliveries that the receiver recorded, repeated ones included. */
  readonly deliveries: number;
  /**
   * The number of webhooks that arrived out of order: the receiver first got the webhook after one with the
   * same ordering key that was submitted later.
   */
  readonly outOfOrder: number;
  /** The number of accepted tasks that have not ended, or that succeeded although the receiver recorded no delivery. */
  readonly lost: number;
}

/** Reads the receiver's log of deliveries. */
export function readLedger(file: string): LedgerEntry[] {
  const text = readFileSync(file, 'utf8');
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as LedgerEntry);
}

/**
 * Counts the webhooks whose first delivery came after the delivery of a webhook with the same ordering key
 * that was submitted later.
 */
function outOfOrder(ledger: readonly LedgerEntry[]): number {
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

/** Reads the status and the events of every submitted task and compares them with the receiver's log of deliveries. */
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
      if (event.kind === 'claimed') attempts++;
      if (event.kind === 'leaseExpired') leasesLost++;
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
