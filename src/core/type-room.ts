/**
 * The room that one receive call has left for each task type that has a limit of its own. It counts down as the call
 * takes tasks, so that no call takes more of a type than its caller can run.
 */
export class TypeRoom {
  readonly #roomOfType: (type: string) => number;
  readonly #left = new Map<string, number>();

  constructor(roomOfType: (type: string) => number) {
    this.#roomOfType = roomOfType;
  }

  /** Returns true if the call may take another task of this type. */
  has(type: string): boolean {
    return this.#leftOf(type) > 0;
  }

  /** Counts a task of this type that the call has taken. */
  use(type: string): void {
    this.#left.set(type, this.#leftOf(type) - 1);
  }

  #leftOf(type: string): number {
    const known = this.#left.get(type);
    if (known !== undefined) return known;
    const room = this.#roomOfType(type);
    this.#left.set(type, room);
    return room;
  }
}

/** Returns the room of a receive call by task type, or undefined if no type has a limit of its own. */
export function typeRoomOf(request: {
  readonly roomOfType?: ((type: string) => number) | undefined;
}): TypeRoom | undefined {
  const { roomOfType } = request;
  return roomOfType === undefined ? undefined : new TypeRoom(roomOfType);
}
