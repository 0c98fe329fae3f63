import { createHash } from 'node:crypto';
import { decodeEvent, encodeEvent } from '../../../../core/codec/event.ts';
import type { TaskEvent } from '../../../../core/task/event.ts';
import type { TaskId } from '../../../../ports/task-store.ts';
import type { Item } from '../schema/keys.ts';

/**
 * Size of a hash link in bytes. Each stored event of a task begins with a hash link: a hash of the event before it, or
 * of the submission for the first stored event. The task's head keeps the link after the last event. An event that was
 * changed, dropped or inserted therefore breaks the chain. The hash uses no secret key, so an attacker who rewrites
 * the whole chain is not detected.
 */
const linkBytes = 8;

function hash(...parts: readonly Uint8Array[]): Buffer {
  const sha = createHash('sha256');
  for (const part of parts) sha.update(part);
  return sha.digest().subarray(0, linkBytes);
}

/**
 * Returns the link (a hash) that a task's second event begins with. The hash covers the whole submission, payload and
 * options included.
 */
export function firstLink(id: TaskId, { ty, b }: Item): Buffer {
  return hash(Buffer.from(`${id}\n${ty?.S ?? ''}\n`), b?.B ?? new Uint8Array(0));
}

/**
 * Returns the link after a stored event, a hash of that event. The next event begins with this link; if there is no
 * next event, the task's head keeps the link.
 */
export function linkAfter(stored: Uint8Array): Buffer {
  return hash(stored);
}

/**
 * Encodes a task's events, each with the link (a hash of the event before it) at its start. Returns the encoded events
 * and the link after the last one.
 */
export function chainEvents(
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

export function decodeStoredEvent(stored: Uint8Array): TaskEvent {
  return decodeEvent(stored.subarray(linkBytes));
}

/**
 * Returns true if the stored event begins with this link, which shows that the event follows the event or submission
 * that the link is the hash of.
 */
export function beginsWithLink(stored: Uint8Array, link: Uint8Array): boolean {
  return Buffer.compare(stored.subarray(0, linkBytes), link) === 0;
}
