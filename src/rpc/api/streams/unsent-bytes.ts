import { type Limits, limits } from '../../../core/limits.ts';
import type { Identity } from '../api.ts';
import { IdentityCounts } from '../identity-counts.ts';

type UnsentLimits = Pick<Limits, 'unsentBytes' | 'unsentBytesPerIdentity'>;

/** The unsent bytes of one stream, as a part of those of its identity and of the node. */
export interface StreamUnsent {
  /** How many bytes more the streams of this identity, and of the node, may have unsent. */
  readonly roomBytes: number;
  /** Records how many bytes of the stream are unsent now. */
  set(bytes: number): void;
}

/**
 * Sums the bytes that were given to streams and not sent yet, because their clients read slowly. Without these sums a
 * thousand streams of one identity could each hold as many as a single stream may.
 */
export class UnsentBytes {
  readonly #counts: IdentityCounts;

  constructor({ unsentBytes, unsentBytesPerIdentity }: UnsentLimits = limits) {
    this.#counts = new IdentityCounts({ ofNode: unsentBytes, ofIdentity: unsentBytesPerIdentity });
  }

  /** The unsent bytes of all streams. */
  get bytes(): number {
    return this.#counts.ofNode;
  }

  of({ name }: Identity): StreamUnsent {
    const counts = this.#counts;
    let own = 0;
    return {
      get roomBytes() {
        return counts.roomOf(name);
      },
      set(bytes) {
        if (bytes !== own) counts.add(name, bytes - own);
        own = bytes;
      },
    };
  }
}
