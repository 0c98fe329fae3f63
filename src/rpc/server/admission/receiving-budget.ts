/**
 * The closed budget of one node for open calls and for messages that are being received: bytes in all, and the shares of
 * each identity, of each connection, and of all strangers together. Nothing is received that is not counted before, so
 * the memory for it is bounded whatever the clients do.
 */
import { HoldfastError } from '../../../core/errors.ts';
import { type Limits, limits } from '../../../core/limits.ts';

/** Recommended delay in ms until the next try of a refused call: most messages have arrived by then. */
const retryAfterMs = 1_000;

export type ReceivingLimits = Pick<
  Limits,
  | 'receivingBytes'
  | 'receivingBytesPerIdentity'
  | 'receivingBytesPerConnection'
  | 'receivingBytesOfStrangers'
  | 'receivingReserveBytes'
  | 'receivingBytesOfReserve'
>;

/** The bytes that one holder has now: a connection, an identity, or all strangers. */
interface Account {
  bytes: number;
  readonly most: number;
  readonly name: string;
}

export class ReceivingBudget {
  readonly #limits: ReceivingLimits;
  readonly #identities = new Map<string, Account>();
  readonly #connections = new WeakMap<object, Account>();
  readonly #strangers: Account;
  #bytes = 0;

  constructor(most: ReceivingLimits = limits) {
    this.#limits = most;
    this.#strangers = {
      bytes: 0,
      most: most.receivingBytesOfStrangers,
      name: 'The clients without an identity have together',
    };
  }

  /** The bytes that all open calls of this node have now. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Counts the first bytes of a call, which it has until it is closed. `identity` is undefined for a stranger. Throws
   * RESOURCE_EXHAUSTED with TOO_MANY_CALLS, and then counts nothing.
   */
  open(connection: object, identity: string | undefined, bytes: number): CallBytes {
    const call = new CallBytes(this, this.#connection(connection), this.#holder(identity));
    const refusal = call.take(bytes);
    if (refusal !== undefined) throw refusal;
    return call;
  }

  /** Counts bytes and returns undefined, or returns the error RESOURCE_EXHAUSTED and counts nothing. */
  take(bytes: number, connection: Account, holder: Account): HoldfastError | undefined {
    for (const account of [connection, holder]) {
      if (account.bytes + bytes > account.most) return tooMany(account.name, account.most);
    }
    const { receivingBytes, receivingReserveBytes, receivingBytesOfReserve } = this.#limits;
    const isSmall = holder.bytes + bytes <= receivingBytesOfReserve;
    const most = isSmall ? receivingBytes : receivingBytes - receivingReserveBytes;
    if (this.#bytes + bytes > most) return tooMany('The clients of this node have', most);
    this.#change(bytes, connection, holder);
    if (holder !== this.#strangers) this.#identities.set(holder.name, holder);
    return undefined;
  }

  giveBack(bytes: number, connection: Account, holder: Account): void {
    this.#change(-bytes, connection, holder);
    if (holder.bytes === 0) this.#identities.delete(holder.name);
  }

  #change(bytes: number, connection: Account, holder: Account): void {
    this.#bytes += bytes;
    connection.bytes += bytes;
    holder.bytes += bytes;
  }

  #connection(key: object): Account {
    let account = this.#connections.get(key);
    if (account === undefined) {
      account = { bytes: 0, most: this.#limits.receivingBytesPerConnection, name: 'This connection has' };
      this.#connections.set(key, account);
    }
    return account;
  }

  #holder(identity: string | undefined): Account {
    if (identity === undefined) return this.#strangers;
    const name = `'${identity}' has`;
    const account = this.#identities.get(name);
    return account ?? { bytes: 0, most: this.#limits.receivingBytesPerIdentity, name };
  }
}

/** The bytes that one call has in the budget, from its headers until it is closed. */
export class CallBytes {
  readonly #budget: ReceivingBudget;
  readonly #connection: Account;
  readonly #holder: Account;
  #bytes = 0;

  constructor(budget: ReceivingBudget, connection: Account, holder: Account) {
    this.#budget = budget;
    this.#connection = connection;
    this.#holder = holder;
  }

  take(bytes: number): HoldfastError | undefined {
    const refusal = this.#budget.take(bytes, this.#connection, this.#holder);
    if (refusal === undefined) this.#bytes += bytes;
    return refusal;
  }

  giveBack(bytes: number): void {
    const counted = Math.min(bytes, this.#bytes);
    this.#bytes -= counted;
    this.#budget.giveBack(counted, this.#connection, this.#holder);
  }

  /** Gives back all bytes of the call. Idempotent. */
  close(): void {
    this.giveBack(this.#bytes);
  }
}

function tooMany(whose: string, most: number): HoldfastError {
  return new HoldfastError(
    'RESOURCE_EXHAUSTED',
    'TOO_MANY_CALLS',
    `${whose} open calls and unfinished messages of ${most.toLocaleString('en')} bytes, which is the limit.`,
    {
      retryAfterMs,
      help: 'Wait until some of the calls have ended, send fewer of them at once, or use another node.',
    },
  );
}
