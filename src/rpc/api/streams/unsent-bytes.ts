import { type Limits, limits } from '../../../core/limits.ts';
import type { Identity } from '../api.ts';
import { IdentityCounts } from '../identity-counts.ts';

type UnsentLimits = Pick<Limits, 'unsentBytes' | 'unsentBytesPerIdentity'>;

/** The unsent bytes of one stream, as a part of those of its identity and of the node. */
export interface StreamUnsent {
  /** How many bytes more the streams of this identity, and of the node, may have unsent. */
  readonly roomBytes: number;
  /** Records how many bytes of the stream are unsent now, with those that are being prepared for it. */
  set(bytes: number): void;
}

interface Blocked {
  readonly identity: string;
  roomFreed(): void;
}

/** Streams without room are not called before there is this much, so that a slow reader does not wake them all for each message. */
const resumeBytes = limits.streamFillBytes;

/**
 * Sums the bytes that were given to streams and not sent yet, because their clients read slowly. Without these sums a
 * thousand streams of one identity could each hold as many as a single stream may.
 */
export class UnsentBytes {
  readonly #counts: IdentityCounts;
  readonly #resumeBytes: number;
  /** The streams that found no room, and are called once there is room: their own readers may have nothing to read. */
  readonly #blocked = new Set<Blocked>();

  constructor({ unsentBytes, unsentBytesPerIdentity }: UnsentLimits = limits) {
    this.#counts = new IdentityCounts({ ofNode: unsentBytes, ofIdentity: unsentBytesPerIdentity });
    this.#resumeBytes = Math.min(resumeBytes, unsentBytesPerIdentity);
  }

  /** The unsent bytes of all streams. */
  get bytes(): number {
    return this.#counts.ofNode;
  }

  /** `roomFreed` is called after `roomBytes` was 0, once other streams have left room again. */
  of({ name }: Identity, roomFreed: () => void = () => {}): StreamUnsent {
    const [counts, waiting] = [this.#counts, this.#blocked];
    const blocked: Blocked = { identity: name, roomFreed };
    let own = 0;
    return {
      get roomBytes(): number {
        const room = counts.roomOf(name);
        if (room === 0) waiting.add(blocked);
        return room;
      },
      set: (bytes) => {
        const more = bytes - own;
        if (more === 0) return;
        own = bytes;
        counts.add(name, more);
        if (more < 0 && waiting.size > 0) this.#resume();
      },
    };
  }

  #resume(): void {
    for (const one of this.#blocked) {
      if (this.#counts.roomOf(one.identity) < this.#resumeBytes) continue;
      this.#blocked.delete(one);
      one.roomFreed();
    }
  }
}
