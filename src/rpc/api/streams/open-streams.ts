import { HoldfastError } from '../../../core/errors.ts';
import { type Limits, limits } from '../../../core/limits.ts';
import type { Identity } from '../api.ts';

const retryAfterMs = 1_000;

type Bounds = Pick<Limits, 'streams' | 'streamsPerIdentity'>;

/** Counts the streams of this node and of each identity, so that nobody takes them all. */
export class OpenStreams {
  readonly #bounds: Bounds;
  readonly #byIdentity = new Map<string, number>();
  #all = 0;

  constructor(bounds: Bounds = limits) {
    this.#bounds = bounds;
  }

  get count(): number {
    return this.#all;
  }

  /** Counts one more; the answer uncounts it, once. RESOURCE_EXHAUSTED, TOO_MANY_STREAMS where one is too many. */
  open(identity: Identity): () => void {
    const own = this.#byIdentity.get(identity.name) ?? 0;
    const { streams, streamsPerIdentity } = this.#bounds;
    if (own >= streamsPerIdentity) {
      throw tooMany(`'${identity.name}' has as many streams open on this node as it may: ${own}`);
    }
    if (this.#all >= streams) throw tooMany(`This node has as many streams open as it may: ${streams}`);
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

function tooMany(what: string): HoldfastError {
  return new HoldfastError('RESOURCE_EXHAUSTED', 'TOO_MANY_STREAMS', `${what}.`, {
    retryAfterMs,
    help: 'Close streams that are not needed, use one stream for many tasks, or add nodes.',
  });
}
