import { type Limits, limits } from '../../../core/limits.ts';
import type { Identity } from '../api.ts';

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
  readonly #limits: UnsentLimits;
  readonly #byIdentity = new Map<string, number>();
  #all = 0;

  constructor(unsentLimits: UnsentLimits = limits) {
    this.#limits = unsentLimits;
  }

  /** The unsent bytes of all streams. */
  get bytes(): number {
    return this.#all;
  }

  of({ name }: Identity): StreamUnsent {
    const add = (bytes: number): void => this.#add(name, bytes);
    const room = (): number => this.#roomOf(name);
    let own = 0;
    return {
      get roomBytes() {
        return room();
      },
      set(bytes) {
        if (bytes !== own) add(bytes - own);
        own = bytes;
      },
    };
  }

  #roomOf(name: string): number {
    const { unsentBytes, unsentBytesPerIdentity } = this.#limits;
    const own = this.#byIdentity.get(name) ?? 0;
    return Math.max(0, Math.min(unsentBytesPerIdentity - own, unsentBytes - this.#all));
  }

  #add(name: string, bytes: number): void {
    this.#all += bytes;
    const own = (this.#byIdentity.get(name) ?? 0) + bytes;
    if (own === 0) this.#byIdentity.delete(name);
    else this.#byIdentity.set(name, own);
  }
}
