/** Told when something begins that this program waits for, and when it is over; so that Node does not exit meanwhile. */
export interface Presence {
  enter(): void;
  leave(): void;
}

export const noPresence: Presence = { enter() {}, leave() {} };

export async function during<T>(presence: Presence, work: Promise<T>): Promise<T> {
  presence.enter();
  try {
    return await work;
  } finally {
    presence.leave();
  }
}
