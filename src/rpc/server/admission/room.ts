/** The room that all calls of one kind share: submissions that are being stored, or reads that are in progress. */

/** The limits of a room, in what its calls hold until they end. */
export interface RoomLimits {
  /** The most that all calls hold at the same time, without those in the reserve. */
  readonly ordinary: number;
  /** The most that identities hold beside that which hold at most `ofReserve`. These do not wait for the calls of others. */
  readonly reserve: number;
  readonly ofReserve: number;
}

/** The part of a room in which a call counts until it has ended. */
export type Part = 'ordinary' | 'reserve';

export class Room {
  readonly #limits: RoomLimits;
  readonly #held = { ordinary: 0, reserve: 0 };
  readonly #heldByIdentity = new Map<string, number>();

  constructor(limits: RoomLimits) {
    this.#limits = limits;
  }

  /** True if a call that holds this much may begin now. A call that holds more than the room has begins in an empty room. */
  fits(held: number): boolean {
    const { ordinary } = this.#held;
    return ordinary === 0 || ordinary + held <= this.#limits.ordinary;
  }

  /** True if the reserve has room for the call of an identity that holds little. */
  fitsReserve(identity: string, held: number): boolean {
    const own = (this.#heldByIdentity.get(identity) ?? 0) + held;
    return own <= this.#limits.ofReserve && this.#held.reserve + held <= this.#limits.reserve;
  }

  /** Returns the part in which a call may begin now, or undefined if it must wait. */
  partFor(identity: string, held: number): Part | undefined {
    if (this.fits(held)) return 'ordinary';
    return this.fitsReserve(identity, held) ? 'reserve' : undefined;
  }

  enter(identity: string, held: number, part: Part): void {
    this.#held[part] += held;
    this.#heldByIdentity.set(identity, (this.#heldByIdentity.get(identity) ?? 0) + held);
  }

  leave(identity: string, held: number, part: Part): void {
    this.#held[part] -= held;
    const left = (this.#heldByIdentity.get(identity) ?? held) - held;
    if (left === 0) this.#heldByIdentity.delete(identity);
    else this.#heldByIdentity.set(identity, left);
  }
}
