import { createHash } from 'node:crypto';
import { decodeEvent, encodeEvent } from '../../core/codec/event.ts';
import type { TaskEvent } from '../../core/event.ts';
import type { TaskId } from '../../ports/task-store.ts';

/**
 * Each stored event begins with 8 bytes of the hash of the one before it, the first of them with those of the
 * submission: whoever changes, drops or inserts one breaks the chain.
 */
const linkBytes = 8;

function hash(...parts: readonly Uint8Array[]): Buffer {
  const sha = createHash('sha256');
  for (const part of parts) sha.update(part);
  return sha.digest().subarray(0, linkBytes);
}

/** What the second event begins with. */
export function firstLink(id: TaskId, submitted: Uint8Array): Buffer {
  return hash(Buffer.from(id), submitted);
}

/** What the event after this one begins with. */
export function linkAfter(stored: Uint8Array): Buffer {
  return hash(stored);
}

/** Events as stored, and what the next one will begin with. */
export function chained(
  link: Uint8Array,
  events: readonly TaskEvent[],
): { readonly stored: Uint8Array[]; readonly link: Uint8Array } {
  const stored: Uint8Array[] = [];
  let next = link;
  for (const event of events) {
    const one = Buffer.concat([next, encodeEvent(event)]);
    stored.push(one);
    next = linkAfter(one);
  }
  return { stored, link: next };
}

export function unchained(stored: Uint8Array): TaskEvent {
  return decodeEvent(stored.subarray(linkBytes));
}

/** The number of the first event whose link does not fit the one before it; undefined: the chain is whole. */
export function brokenAt(
  id: TaskId,
  submitted: Uint8Array,
  stored: readonly Uint8Array[],
): number | undefined {
  let link = firstLink(id, submitted);
  for (const [i, one] of stored.entries()) {
    if (Buffer.compare(one.subarray(0, linkBytes), link) !== 0) return i + 2;
    link = linkAfter(one);
  }
  return undefined;
}
