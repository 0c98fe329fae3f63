import { limits } from '../../../core/limits.ts';
import type { Room } from './work-stream.ts';

/** Bytes of payload that one worker may hold: enough for hundreds of large ones. */
const bytesMax = 67_108_864;

/**
 * What the server may still give, as this side sees it. A settlement returns its credit by itself, unless the worker
 * holds more than it wants: then it reports under no session, and the credit is gone.
 */
export class Credits {
  #tasks = 0;
  #bytes = 0;

  /** A stream begins, or its credits are set anew. */
  reset(room: Room): void {
    this.#tasks = room.tasks;
    this.#bytes = room.bytes;
  }

  used(room: Room): void {
    this.#tasks -= room.tasks;
    this.#bytes -= room.bytes;
  }

  returned(room: Room): void {
    this.#tasks += room.tasks;
    this.#bytes += room.bytes;
  }

  /** So many more could come than there is room for. */
  excess(wanted: number, held: number): number {
    return this.#tasks + held - wanted;
  }

  /** What is to be given besides; undefined: nothing. */
  missing(room: Room): Room | undefined {
    const tasks = Math.max(0, room.tasks - this.#tasks);
    const bytes = Math.max(0, room.bytes - this.#bytes);
    if (tasks === 0 && bytes < bytesMax / 4) return undefined;
    this.#tasks += tasks;
    this.#bytes += bytes;
    return { tasks, bytes };
  }
}

export function roomFor(wanted: number, heldTasks: number, heldBytes: number): Room {
  return {
    tasks: Math.min(limits.inFlightTasks, Math.max(0, wanted - heldTasks)),
    bytes: wanted === 0 ? 0 : Math.max(0, bytesMax - heldBytes),
  };
}
