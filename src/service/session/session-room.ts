import { limits } from '../../core/limits.ts';
import type { OnlyTask } from '../claim/only-task.ts';
import type { ServiceContext } from '../context.ts';
import type { SessionSink } from '../service.ts';
import type { SessionCredits } from './session-credits.ts';
import type { UnacknowledgedAssignments } from './unacknowledged.ts';

/** How long a worker whose tasks were recalled for a free one gets no tasks, in ms. */
const givenUpMs = 500;

interface RoomParts {
  readonly context: ServiceContext;
  readonly credits: SessionCredits;
  readonly sink: SessionSink;
  readonly unacknowledged: UnacknowledgedAssignments;
  readonly only: OnlyTask | undefined;
}

/** The room of a worker's stream: how many tasks and payload bytes it may be given now. */
export class SessionRoom {
  readonly #parts: RoomParts;
  /** Ends the time in which the worker gets no tasks, because some of its tasks were recalled for a free worker. */
  #cancelGivenUp: (() => void) | undefined;

  constructor(parts: RoomParts) {
    this.#parts = parts;
  }

  /** True if the worker has credit, its stream takes more, it answers, and it has no task that must be its only one. */
  get isOpen(): boolean {
    const { credits, unacknowledged, context, only } = this.#parts;
    if (only?.runs === true) return false;
    if (credits.tasks <= 0 || this.#bytes <= 0 || this.#cancelGivenUp !== undefined) return false;
    return !unacknowledged.isUnresponsive(context.clock.monotonic());
  }

  /** The room of one receive call: at most one batch of the store, because the next call follows at once. */
  get ofOneReceive(): { readonly tasks: number; readonly bytes: number } {
    if (!this.isOpen) return { tasks: 0, bytes: 0 };
    const tasks = Math.min(this.#parts.credits.tasks, limits.batchItems);
    return { tasks, bytes: Math.max(0, this.#bytes) };
  }

  /** Closes the room for 500 ms, and calls `ended` then. */
  giveUp(ended: () => void): void {
    this.#cancelGivenUp?.();
    this.#cancelGivenUp = this.#parts.context.clock.after(givenUpMs, () => {
      this.#cancelGivenUp = undefined;
      ended();
    });
  }

  /**
   * Returns how many payload bytes may be assigned now: the lower of the worker's byte credits and the free room of its
   * stream. Without the second limit one large write could fill the stream, and a fast reader would be cut off as too slow.
   */
  get #bytes(): number {
    const { credits, sink } = this.#parts;
    const streamBytes = sink.roomBytes?.() ?? Number.POSITIVE_INFINITY;
    return Math.min(credits.bytes, streamBytes);
  }
}
