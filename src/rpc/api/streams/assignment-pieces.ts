import { limits } from '../../../core/limits.ts';
import type { Assignment } from '../../../core/messages.ts';

/** Tags, lengths and numbers of one assignment on the wire, generously. */
const fixedBytes = 256;

/** No less than the bytes of an assignment on the wire. */
function bytesAtMost(task: Assignment): number {
  const { id, key, queue, tenant, traceparent, parentId, tags } = task;
  let chars = id.length + key.length + queue.length + tenant.length + traceparent.length + parentId.length;
  for (const tag of tags) chars += tag.length;
  return fixedBytes + task.spec.length + task.lease.length + 3 * chars;
}

/** Cut so that no message on the wire is too large or has too many items. */
export function pieces(tasks: readonly Assignment[]): readonly (readonly Assignment[])[] {
  const cut: Assignment[][] = [];
  let piece: Assignment[] = [];
  let bytes = 0;
  for (const task of tasks) {
    const size = bytesAtMost(task);
    if (piece.length > 0 && (piece.length === limits.batchItems || bytes + size > limits.wireMessageBytes)) {
      cut.push(piece);
      piece = [];
      bytes = 0;
    }
    piece.push(task);
    bytes += size;
  }
  if (piece.length > 0) cut.push(piece);
  return cut;
}

/**
 * The service counts what it assigns at once, the wire counts messages, and one of the former may be several of the
 * latter. A worker's `received` of the wire is the service's once the last piece is in.
 */
export class Numbering {
  readonly #unacknowledged: { readonly wire: number; readonly service: number }[] = [];
  #wire = 0;

  next(): number {
    return ++this.#wire;
  }

  /** The last message handed out carries the end of what the service calls `service`. */
  ends(service: number): void {
    this.#unacknowledged.push({ wire: this.#wire, service });
  }

  /** What the service may take as received; undefined: nothing more. RangeError: never sent. */
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
