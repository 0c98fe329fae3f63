/**
 * The closed budget of one node for open calls, for messages that are being received, and for answers that clients do not
 * read: bytes in all, and the shares of each identity, of each connection, of the strangers of each address, and of all
 * strangers together. Nothing is received that is not counted before, so the memory for it is bounded whatever the clients do.
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
  | 'receivingBytesPerAddress'
  | 'receivingBytesOfFewCalls'
  | 'receivingReserveBytes'
  | 'receivingBytesOfReserve'
>;

/** The bytes that one holder has now: a connection, an identity, or the strangers of an address. */
interface Account {
  bytes: number;
  readonly most: number;
  readonly name: string;
}

/** An account that the budget forgets when it has no bytes. There are never more of them than connections. */
interface Holder extends Account {
  readonly key: string;
  readonly isStranger: boolean;
}

/** A connection as a key, with its remote address without the port. */
export interface Remote {
  readonly host: string;
}

export class ReceivingBudget {
  readonly #limits: ReceivingLimits;
  readonly #holders = new Map<string, Holder>();
  readonly #connections = new WeakMap<object, Account>();
  #bytes = 0;
  #strangerBytes = 0;

  constructor(most: ReceivingLimits = limits) {
    this.#limits = most;
  }

  /** The bytes that all open calls of this node have now. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Counts the first bytes of a call, which it has until it is closed. `identity` is undefined for a stranger. Throws
   * RESOURCE_EXHAUSTED with TOO_MANY_CALLS, and then counts nothing.
   */
  open(connection: Remote, identity: string | undefined, bytes: number): CallBytes {
    const call = new CallBytes(this, this.#connection(connection), this.#holder(connection, identity));
    const refusal = call.take(bytes);
    if (refusal !== undefined) throw refusal;
    return call;
  }

  /** Counts bytes and returns undefined, or returns the error RESOURCE_EXHAUSTED and counts nothing. */
  take(bytes: number, connection: Account, holder: Holder): HoldfastError | undefined {
    for (const account of [connection, holder]) {
      if (account.bytes + bytes > account.most) return tooMany(account.name, account.most);
    }
    const { receivingBytes, receivingReserveBytes, receivingBytesOfReserve } = this.#limits;
    const { receivingBytesOfStrangers, receivingBytesOfFewCalls } = this.#limits;
    const few = holder.isStranger ? receivingBytesOfFewCalls : receivingBytesOfReserve;
    const isSmall = holder.bytes + bytes <= few;
    if (holder.isStranger && !isSmall && this.#strangerBytes + bytes > receivingBytesOfStrangers)
      return tooMany('The clients without an identity have together', receivingBytesOfStrangers);
    const most = isSmall ? receivingBytes : receivingBytes - receivingReserveBytes;
    if (this.#bytes + bytes > most) return tooMany('The clients of this node have', most);
    this.#change(bytes, connection, holder);
    return undefined;
  }

  /** Counts the bytes of an answer that the client has not read. They may exceed the limits, and then no call is admitted. */
  add(bytes: number, connection: Account, holder: Holder): void {
    this.#change(bytes, connection, holder);
  }

  giveBack(bytes: number, connection: Account, holder: Holder): void {
    this.#change(-bytes, connection, holder);
  }

  #change(bytes: number, connection: Account, holder: Holder): void {
    this.#bytes += bytes;
    if (holder.isStranger) this.#strangerBytes += bytes;
    connection.bytes += bytes;
    holder.bytes += bytes;
    if (holder.bytes > 0) this.#holders.set(holder.key, holder);
    else if (this.#holders.get(holder.key) === holder) this.#holders.delete(holder.key);
  }

  #connection(key: object): Account {
    let account = this.#connections.get(key);
    if (account === undefined) {
      account = { bytes: 0, most: this.#limits.receivingBytesPerConnection, name: 'This connection has' };
      this.#connections.set(key, account);
    }
    return account;
  }

  #holder({ host }: Remote, identity: string | undefined): Holder {
    const isStranger = identity === undefined;
    const key = isStranger ? `address ${host}` : `identity ${identity}`;
    const { receivingBytesPerAddress, receivingBytesPerIdentity } = this.#limits;
    const most = isStranger ? receivingBytesPerAddress : receivingBytesPerIdentity;
    const name = isStranger ? 'The clients without an identity at this address have' : `'${identity}' has`;
    return this.#holders.get(key) ?? { bytes: 0, most, name, key, isStranger };
  }
}

/** The bytes that one call has in the budget, from its headers until it is closed. */
export class CallBytes {
  readonly #budget: ReceivingBudget;
  readonly #connection: Account;
  readonly #holder: Holder;
  #bytes = 0;
  #isClosed = false;

  constructor(budget: ReceivingBudget, connection: Account, holder: Holder) {
    this.#budget = budget;
    this.#connection = connection;
    this.#holder = holder;
  }

  take(bytes: number): HoldfastError | undefined {
    const refusal = this.#budget.take(bytes, this.#connection, this.#holder);
    if (refusal === undefined) this.#bytes += bytes;
    return refusal;
  }

  /** Counts the bytes of the call's answer until the call is closed. */
  answer(bytes: number): void {
    if (this.#isClosed) return;
    this.#bytes += bytes;
    this.#budget.add(bytes, this.#connection, this.#holder);
  }

  /** Returns the error for a call whose client holds more than its share by now, because it reads no answers. */
  refusal(): HoldfastError | undefined {
    for (const { bytes, most, name } of [this.#connection, this.#holder]) {
      if (bytes > most) return tooMany(name, most);
    }
    return undefined;
  }

  giveBack(bytes: number): void {
    const counted = Math.min(bytes, this.#bytes);
    this.#bytes -= counted;
    this.#budget.giveBack(counted, this.#connection, this.#holder);
  }

  /** Gives back all bytes of the call. Idempotent. */
  close(): void {
    this.#isClosed = true;
    this.giveBack(this.#bytes);
  }
}

function tooMany(whose: string, most: number): HoldfastError {
  return new HoldfastError(
    'RESOURCE_EXHAUSTED',
    'TOO_MANY_CALLS',
    `${whose} open calls, unfinished messages and unread answers of ${most.toLocaleString('en')} bytes, which is the limit.`,
    {
      retryAfterMs,
      help: 'Wait until some of the calls have ended, send fewer of them at once, or use another node.',
    },
  );
}
