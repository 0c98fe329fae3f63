import { decodeLease } from '../../core/codec/lease.ts';
import { limits, timing } from '../../core/limits.ts';
import type { Assignment } from '../../core/messages.ts';
import type { Lease } from '../../core/task/lease.ts';

/** Identifies an assignment, so that its task can be read again. The payload is not kept in memory, only in the store. */
export type LeaseReference = Pick<Lease, 'id' | 'fencingToken' | 'receiptHandle'>;

/** The remembered result of one claim request. */
interface RecentClaim {
  readonly atMs: number;
  /** The estimated memory of this remembered claim request in bytes. It grows when the request has its result. */
  bytes: number;
  readonly leases: Promise<readonly LeaseReference[]>;
}

/** Claims new tasks, or reads the assignments of an earlier claim again. */
export interface ClaimSource {
  claim(): Promise<readonly Assignment[]>;
  /** Reads the tasks of the leases again, and returns the assignments whose leases are still held. */
  reload(leases: readonly LeaseReference[]): Promise<readonly Assignment[]>;
}

/**
 * The estimated memory of a remembered claim request and of each lease in it, in bytes, without the request key and receipt
 * handles.
 */
const entryBytes = 512;
const leaseBytes = 128;

/**
 * Remembers the claim requests of the last minute by request key, so that a caller whose response was lost gets the same
 * assignments when it repeats the request.
 */
export class RecentClaims {
  readonly #recent = new Map<string, RecentClaim>();
  #bytes = 0;

  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Returns the assignments that are remembered for the key of a claim request, or claims new tasks. A request that got no
   * tasks is not remembered, and a request whose leases have all ended is forgotten: the next request with that key claims
   * again.
   */
  async once(key: string, nowMs: number, source: ClaimSource): Promise<readonly Assignment[]> {
    this.#forgetOld(nowMs);
    const known = this.#recent.get(key);
    if (known === undefined) return this.#first(key, nowMs, source);
    const leases = await known.leases;
    const assignments = leases.length === 0 ? [] : await source.reload(leases);
    if (assignments.length > 0) return assignments;
    this.#forget(key, known);
    return this.once(key, nowMs, source);
  }

  async #first(key: string, nowMs: number, source: ClaimSource): Promise<readonly Assignment[]> {
    const assigned = source.claim();
    const leases = assigned.then((tasks) => tasks.map(({ lease }) => decodeLease(lease)));
    const entry: RecentClaim = { atMs: nowMs, bytes: 0, leases };
    this.#recent.set(key, entry);
    this.#count(entry, key.length + entryBytes);
    try {
      const tasks = await leases;
      if (tasks.length === 0) this.#forget(key, entry);
      else if (this.#recent.get(key) === entry) {
        this.#count(
          entry,
          tasks.reduce((sum, { receiptHandle }) => sum + receiptHandle.length + leaseBytes, 0),
        );
      }
    } catch {
      this.#forget(key, entry);
    }
    return assigned;
  }

  #count(entry: RecentClaim, bytes: number): void {
    entry.bytes += bytes;
    this.#bytes += bytes;
  }

  #forget(key: string, entry: RecentClaim): void {
    if (this.#recent.get(key) !== entry) return;
    this.#recent.delete(key);
    this.#bytes -= entry.bytes;
  }

  #forgetOld(nowMs: number): void {
    for (const [key, entry] of this.#recent) {
      if (nowMs - entry.atMs < timing.claimRepeatMs && this.#bytes <= limits.recentClaimBytes) break;
      this.#forget(key, entry);
    }
  }
}
