import { limits } from '../../../core/limits.ts';
import type { Assignment } from '../../../core/messages.ts';

/** An upper bound, in bytes, of the protobuf field numbers, lengths and integers of one assignment on the wire. */
const fixedBytes = 256;

/** Returns an upper bound of an assignment's bytes on the wire. */
function maxWireBytes(task: Assignment): number {
  const { id, key, queue, tenant, traceparent, attemptTraceparent = '', parentId, tags } = task;
  let chars = id.length + key.length + queue.length + tenant.length + parentId.length;
  chars += traceparent.length + attemptTraceparent.length;
  for (const tag of tags) chars += tag.length;
  return fixedBytes + task.spec.length + task.lease.length + 3 * chars;
}

/** Splits assignments into pieces that each fit into one message on the wire, by bytes and by number of items. */
export function splitAssignments(tasks: readonly Assignment[]): readonly (readonly Assignment[])[] {
  const pieces: Assignment[][] = [];
  let piece: Assignment[] = [];
  let bytes = 0;
  for (const task of tasks) {
    const size = maxWireBytes(task);
    if (piece.length > 0 && (piece.length === limits.batchItems || bytes + size > limits.wireMessageBytes)) {
      pieces.push(piece);
      piece = [];
      bytes = 0;
    }
    piece.push(task);
    bytes += size;
  }
  if (piece.length > 0) pieces.push(piece);
  return pieces;
}

/** How far a worker has received the assignments of the service. */
export interface ReceivedUpTo {
  /** The number of the service's latest assignment of which the worker has received at least a part. */
  readonly service: number;
  /** How many tasks of that assignment the worker has received; it has received all earlier assignments. */
  readonly tasks: number;
}

/**
 * Translates the sequence numbers of assignment messages on the wire to the numbers that the service gives to its
 * assignments. One assignment of the service may be sent as several messages, and the worker acknowledges each of them.
 */
export class AssignmentNumbering {
  readonly #unacknowledged: (ReceivedUpTo & { readonly wire: number })[] = [];
  #wire = 0;

  /** Returns the number of the next message: the one after which the worker has the first `tasks` tasks of `service`. */
  next(service: number, tasks: number): number {
    this.#unacknowledged.push({ wire: ++this.#wire, service, tasks });
    return this.#wire;
  }

  /**
   * Handles the acknowledgement of the message with the number `wire`. Returns how far the worker has received the
   * assignments, or undefined if it has acknowledged this message before. Throws a RangeError if no message with this number
   * was sent.
   */
  acknowledge(wire: number): ReceivedUpTo | undefined {
    if (wire > this.#wire) throw new RangeError('never sent');
    let last: ReceivedUpTo | undefined;
    while (this.#unacknowledged.length > 0 && (this.#unacknowledged[0]?.wire ?? 0) <= wire)
      last = this.#unacknowledged.shift();
    return last;
  }

  get sent(): number {
    return this.#wire;
  }
}
