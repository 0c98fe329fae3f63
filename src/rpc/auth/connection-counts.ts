/**
 * Counts the connections of one listener by identity, so that one identity cannot use up all of them, and several cannot
 * use up the reserve for identities that have few.
 */
import { HoldfastError } from '../../core/errors.ts';
import type { Limits } from '../../core/limits.ts';

/** Recommended delay in ms until a client that was refused connects again. */
const retryAfterMs = 5_000;

export type ConnectionLimits = Pick<
  Limits,
  | 'connections'
  | 'connectionsPerIdentity'
  | 'connectionReserve'
  | 'connectionsOfReserve'
  | 'surplusConnections'
  | 'strangers'
  | 'strangersPerAddress'
>;

export class ConnectionCounts {
  readonly #limits: ConnectionLimits;
  readonly #byIdentity = new Map<string, number>();
  #all = 0;

  constructor(most: ConnectionLimits) {
    this.#limits = most;
  }

  /** Counts a connection of an identity and returns undefined, or returns TOO_MANY_CONNECTIONS and counts nothing. */
  take(identity: string): HoldfastError | undefined {
    const { connections, connectionsPerIdentity, connectionReserve, connectionsOfReserve } = this.#limits;
    const own = this.#byIdentity.get(identity) ?? 0;
    if (own >= connectionsPerIdentity) {
      return tooMany(`'${identity}' has ${own} connections to this listener, which is its limit.`);
    }
    const most = own < connectionsOfReserve ? connections : connections - connectionReserve;
    if (this.#all >= most) return tooMany(`This listener has no free connection for '${identity}'.`);
    this.#byIdentity.set(identity, own + 1);
    this.#all++;
    return undefined;
  }

  giveBack(identity: string): void {
    this.#all--;
    const left = (this.#byIdentity.get(identity) ?? 1) - 1;
    if (left === 0) this.#byIdentity.delete(identity);
    else this.#byIdentity.set(identity, left);
  }
}

function tooMany(message: string): HoldfastError {
  return new HoldfastError('RESOURCE_EXHAUSTED', 'TOO_MANY_CONNECTIONS', message, {
    retryAfterMs,
    help: 'Make many calls on one connection, and close connections that are not needed.',
  });
}
