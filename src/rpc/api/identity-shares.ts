import { HoldfastError } from '../../core/errors.ts';
import { limits } from '../../core/limits.ts';
import type { Identity } from './api.ts';

export interface SharesOptions {
  /** The things that are counted, in the plural: `waiting claim calls`. */
  readonly what: string;
  /** The most of them on this node. */
  readonly ofNode: number;
  /** The most of them of one identity on this node. */
  readonly ofIdentity: number;
  /** The next step of a caller that is refused. */
  readonly help: string;
  /** How long a caller that is refused should wait before it tries again, in ms. */
  readonly retryAfterMs: number;
}

/** Counts and limits things that a node holds in memory for its callers: one identity must not use up all of them. */
export class IdentityShares {
  readonly #options: SharesOptions;
  readonly #byIdentity = new Map<string, number>();
  #all = 0;

  constructor(options: SharesOptions) {
    this.#options = options;
  }

  get count(): number {
    return this.#all;
  }

  /**
   * Counts `count` more things of an identity, and returns a function that counts them as gone. Throws
   * RESOURCE_EXHAUSTED with LIMIT_REACHED if the node or the identity would have too many.
   */
  take({ name }: Identity, count = 1): () => void {
    const { what, ofNode, ofIdentity } = this.#options;
    const own = this.#byIdentity.get(name) ?? 0;
    if (own + count > ofIdentity)
      throw this.#tooMany(
        `'${name}' has ${shown(own)} ${what} on this node, and may have ${shown(ofIdentity)}`,
      );
    if (this.#all + count > ofNode)
      throw this.#tooMany(`This node has ${shown(this.#all)} ${what}, and may have ${shown(ofNode)}`);
    this.#all += count;
    this.#byIdentity.set(name, own + count);
    let isTaken = true;
    return () => {
      if (isTaken) this.#give(name, count);
      isTaken = false;
    };
  }

  #give(name: string, count: number): void {
    this.#all -= count;
    const left = (this.#byIdentity.get(name) ?? count) - count;
    if (left === 0) this.#byIdentity.delete(name);
    else this.#byIdentity.set(name, left);
  }

  #tooMany(message: string): HoldfastError {
    const { help, retryAfterMs } = this.#options;
    return new HoldfastError('RESOURCE_EXHAUSTED', 'LIMIT_REACHED', `${message}.`, { retryAfterMs, help });
  }
}

export function waitingClaimShares(): IdentityShares {
  return new IdentityShares({
    what: 'waiting claim calls',
    ofNode: limits.waitingClaims,
    ofIdentity: limits.waitingClaimsPerIdentity,
    help: 'Claim several tasks per call, use one Work stream per worker, or add nodes.',
    // Thousands of refused calls that came back every second would cost more than as many waiting ones.
    retryAfterMs: 5_000,
  });
}

export function watchShares(): IdentityShares {
  return new IdentityShares({
    what: 'watched tasks',
    ofNode: limits.watches,
    ofIdentity: limits.watchesPerIdentity,
    help: 'End watches that are not needed, call GetTask now and then instead, or add nodes.',
    retryAfterMs: 1_000,
  });
}

export function reportShares(): IdentityShares {
  return new IdentityShares({
    what: 'unanswered bytes of reports',
    ofNode: limits.reportBytes,
    ofIdentity: limits.reportBytesPerIdentity,
    help: 'Wait for answers before sending more, then send the batches without an answer again.',
    retryAfterMs: 1_000,
  });
}

function shown(count: number): string {
  return count.toLocaleString('en');
}
