/**
 * Counts the operations that the program waits for (a submission, a result, a running worker). While at least one is
 * counted, Node.js must not exit.
 */
export interface Presence {
  /** Counts an operation that begins. */
  enter(): void;
  /** Stops counting an operation that has ended. */
  leave(): void;
}

/** A Presence that counts nothing. */
export const noPresence: Presence = { enter() {}, leave() {} };

/** Counts `work` as an operation until it settles, and returns its result. */
export async function during<T>(presence: Presence, work: Promise<T>): Promise<T> {
  presence.enter();
  try {
    return await work;
  } finally {
    presence.leave();
  }
}
