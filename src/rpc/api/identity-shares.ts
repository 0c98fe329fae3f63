import { HoldfastError, type Reason } from '../../core/errors.ts';
import { type Limits, limits } from '../../core/limits.ts';
import type { Identity } from './api.ts';
import { IdentityCounts, type Most } from './identity-counts.ts';

export interface SharesOptions extends Most {
  /** The name of the counted objects in the plural, as messages have it: `waiting claim calls`. */
  readonly plural: string;
  /** The next step of a caller that is refused. */
  readonly help: string;
  /** How long a caller that is refused should wait before it tries again, in ms. */
  readonly retryAfterMs: number;
  /** The reason of the error. Default: LIMIT_REACHED. */
  readonly reason?: Reason;
}

/** Counts and limits what a node holds in memory for its callers: one identity must not use up all of it. */
export class IdentityShares {
  readonly #options: SharesOptions;
  readonly #counts: IdentityCounts;

  constructor(options: SharesOptions) {
    this.#options = options;
    this.#counts = new IdentityCounts(options);
  }

  get count(): number {
    return this.#counts.ofNode;
  }

  /**
   * Adds `count` to the share of an identity, and returns a function that takes it away again. Throws RESOURCE_EXHAUSTED,
   * with the reason of the options, if the node or the identity would have too much.
   */
  take(identity: Identity, count = 1): () => void {
    this.ensureRoom(identity, count);
    const { name } = identity;
    this.#counts.add(name, count);
    let isTaken = true;
    return () => {
      if (isTaken) this.#counts.add(name, -count);
      isTaken = false;
    };
  }

  /** Throws as `take` would, and takes nothing. */
  ensureRoom({ name }: Identity, count = 1): void {
    const { plural, ofNode, ofIdentity } = this.#options;
    const [own, all] = [this.#counts.of(name), this.count];
    if (own + count > ofIdentity)
      throw this.#tooMany(
        `'${name}' has ${shown(own)} ${plural} on this node, and may have ${shown(ofIdentity)}`,
      );
    if (all + count > ofNode)
      throw this.#tooMany(`This node has ${shown(all)} ${plural}, and may have ${shown(ofNode)}`);
  }

  /** Counts one for the identity until `work` has ended. Rejects as `take` throws, and does not begin the work then. */
  async during<T>(identity: Identity, work: () => Promise<T>): Promise<T> {
    const give = this.take(identity);
    try {
      return await work();
    } finally {
      give();
    }
  }

  #tooMany(message: string): HoldfastError {
    const { help, retryAfterMs, reason = 'LIMIT_REACHED' } = this.#options;
    return new HoldfastError('RESOURCE_EXHAUSTED', reason, `${message}.`, { retryAfterMs, help });
  }
}

export function waitingClaimShares(): IdentityShares {
  return new IdentityShares({
    plural: 'waiting claim calls',
    ofNode: limits.waitingClaims,
    ofIdentity: limits.waitingClaimsPerIdentity,
    help: 'Claim several tasks per call, use one Work stream per worker, or add nodes.',
    // Thousands of refused calls that came back every second would cost more than as many waiting ones.
    retryAfterMs: 5_000,
  });
}

export function watchShares(): IdentityShares {
  return new IdentityShares({
    plural: 'watched tasks',
    ofNode: limits.watches,
    ofIdentity: limits.watchesPerIdentity,
    help: 'End watches that are not needed, call GetTask now and then instead, or add nodes.',
    retryAfterMs: 1_000,
  });
}

export function reportShares(): IdentityShares {
  return new IdentityShares({
    plural: 'unanswered bytes of reports',
    ofNode: limits.reportBytes,
    ofIdentity: limits.reportBytesPerIdentity,
    help: 'Wait for answers before sending more, then send the batches without an answer again.',
    retryAfterMs: 1_000,
  });
}

export function troubleShares(): IdentityShares {
  return new IdentityShares({
    plural: 'ListTrouble calls in progress',
    ofNode: limits.troubleCalls,
    ofIdentity: limits.troubleCallsPerIdentity,
    help: 'Wait for the answers of the calls in progress, and name a queue to make a call shorter.',
    retryAfterMs: 5_000,
  });
}

export function streamShares({
  streams,
  streamsPerIdentity,
}: Pick<Limits, 'streams' | 'streamsPerIdentity'> = limits): IdentityShares {
  return new IdentityShares({
    plural: 'open streams',
    ofNode: streams,
    ofIdentity: streamsPerIdentity,
    help: 'Close streams that are not needed, use one stream for many tasks, or add nodes.',
    retryAfterMs: 1_000,
    reason: 'TOO_MANY_STREAMS',
  });
}

function shown(count: number): string {
  return count.toLocaleString('en');
}
