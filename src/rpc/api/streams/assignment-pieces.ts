import { limits } from '../../../core/limits.ts';
import type { Assignment } from '../../../core/messages.ts';

/** An upper bound, in bytes, of one assignment's tags, lengths and numbers on the wire. */
const fixedBytes = 256;

/** Returns an upper bound of an assignment's bytes on the wire. */
function maxWireBytes(task: Assignment): number {
  const { id, key, queue, tenant, traceparent, parentId, tags } = task;
  let chars = id.length + key.length + queue.length + tenant.length + traceparent.length + parentId.length;
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

/**
 * Translates the sequence numbers of messages on the wire to those of the service. The service numbers its assignments;
 * one assignment may be several messages. It counts as received once the worker has acknowledged the last of its
 * messages.
 */
export class AssignmentNumbering {
  readonly #unacknowledged: { readonly wire: number; readonly service: number }[] = [];
  #wire = 0;

  next(): number {
    return ++this.#wire;
  }

  /** Records that the message with the latest number is the last one of the service's assignment `service`. */
  ends(service: number): void {
    this.#unacknowledged.push({ wire: this.#wire, service });
  }

  /**
   * Returns the latest assignment of the service that the worker has received completely, or undefined if it is the
   * same as before. Throws a RangeError for a number that was never sent.
   */
  acknowledge(wire: number): number | undefined {
    if (wire > this.#wire) throw new RangeError('never sent');
    let service: number | undefined;
    while (this.#unacknowledged.length > 0 && (this.#unacknowledged[0]?.wire ?? 0) <= wire)
      service = this.#unacknowledged.shift()?.service;
    return service;
  }

  get sent(): number {
    return this.#wire;
  }
}
