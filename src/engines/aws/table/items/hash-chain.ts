import { createHash } from 'node:crypto';
import { decodeEvent, encodeEvent } from '../../../../core/codec/event.ts';
import type { TaskEvent } from '../../../../core/task/event.ts';
import type { TaskId } from '../../../../ports/task-store.ts';
import type { Item } from '../schema/keys.ts';

/**
 * Each stored event begins with 8 bytes of the hash of the one before it, the first of them with those of the
 * submission, and the head keeps those of the last one: whoever changes, drops or inserts one breaks the chain. It has
 * no key, so that whoever knows this and writes all of it anew is not found out.
 */
const linkBytes = 8;

function hash(...parts: readonly Uint8Array[]): Buffer {
  const sha = createHash('sha256');
  for (const part of parts) sha.update(part);
  return sha.digest().subarray(0, linkBytes);
}

/** What the second event begins with: it answers for the whole submission, payload and options included. */
export function firstLink(id: TaskId, { ty, b }: Item): Buffer {
  return hash(Buffer.from(`${id}\n${ty?.S ?? ''}\n`), b?.B ?? new Uint8Array(0));
}

/** What the event after this one begins with; after the last one, what the head keeps. */
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

/** Whether it was written after the event, or the submission, that this link is of. */
export function follows(stored: Uint8Array, link: Uint8Array): boolean {
  return Buffer.compare(stored.subarray(0, linkBytes), link) === 0;
}
