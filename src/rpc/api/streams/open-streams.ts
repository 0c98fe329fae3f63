import { HoldfastError } from '../../../core/errors.ts';
import { type Limits, limits } from '../../../core/limits.ts';
import type { Identity } from '../api.ts';

const retryAfterMs = 1_000;

type StreamLimits = Pick<Limits, 'streams' | 'streamsPerIdentity'>;

/** Counts and limits the open streams of this node and of each identity: one identity must not use up all of them. */
export class OpenStreams {
  readonly #limits: StreamLimits;
  readonly #byIdentity = new Map<string, number>();
  #all = 0;

  constructor(streamLimits: StreamLimits = limits) {
    this.#limits = streamLimits;
  }

  get count(): number {
    return this.#all;
  }

  /**
   * Counts one more open stream of an identity, and returns a function that counts the stream as closed. Throws
   * RESOURCE_EXHAUSTED with TOO_MANY_STREAMS at the limit of the node or of the identity.
   */
  open(identity: Identity): () => void {
    const own = this.#byIdentity.get(identity.name) ?? 0;
    const { streams, streamsPerIdentity } = this.#limits;
    if (own >= streamsPerIdentity) {
      throw tooMany(`'${identity.name}' has ${own} streams open on this node, which is its limit`);
    }
    if (this.#all >= streams) throw tooMany(`This node has ${streams} streams open, which is its limit`);
    this.#all++;
    this.#byIdentity.set(identity.name, own + 1);
    let open = true;
    return () => {
      if (open) this.#close(identity.name);
      open = false;
    };
  }

  #close(identity: string): void {
    this.#all--;
    const left = (this.#byIdentity.get(identity) ?? 1) - 1;
    if (left === 0) this.#byIdentity.delete(identity);
    else this.#byIdentity.set(identity, left);
  }
}

function tooMany(message: string): HoldfastError {
  return new HoldfastError('RESOURCE_EXHAUSTED', 'TOO_MANY_STREAMS', `${message}.`, {
    retryAfterMs,
    help: 'Close streams that are not needed, use one stream for many tasks, or add nodes.',
  });
}
