import { createHash } from 'node:crypto';
import type { Scope } from '../../../../core/submission/submission.ts';
import type { TaskId } from '../../../../ports/task-store.ts';

/**
 * Address of a task's items in the table; the task id encodes the address. Successive tasks of one idempotency key
 * share a slot, which is a hash of the key: the first task is the slot's anchor, and each later task (a later
 * generation) has a partition of its own.
 */
export interface ItemAddress {
  /** Hash of tenant, queue and idempotency key. All tasks that used the key one after another have the same hash. */
  readonly slot: string;
  /** Time of the task's acceptance in ms. Of two tasks of one idempotency key the later one has the larger mark. */
  readonly mark: number;
  /**
   * True for the first task of an idempotency key. The submission item of that task records which task holds the key
   * now.
   */
  readonly anchor: boolean;
}

const slotChars = 22; // 132 bits of the hash, a little less because a hyphen at the start is replaced
const pattern = /^([A-Za-z0-9_-]{22})([.~])(0|[1-9a-z][0-9a-z]{0,10})$/;

/**
 * Returns the slot (a hash) of a tenant, queue and idempotency key. Each part is hashed with its length before it, so
 * that two different scopes never form the same text. A slot never begins with '-', which a command would take for an
 * option.
 */
export function slotOf(scope: Scope): string {
  const hash = createHash('sha256');
  for (const part of [scope.tenant, scope.queue, scope.key]) hash.update(`${part.length}:${part}`);
  return hash.digest('base64url').slice(0, slotChars).replace(/^-/, '0');
}

export function idOf({ slot, mark, anchor }: ItemAddress): TaskId {
  return `${slot}${anchor ? '.' : '~'}${mark.toString(36)}`;
}

/** Decodes a task id. Returns undefined if the AWS engine did not make the id. */
export function addressOf(id: TaskId): ItemAddress | undefined {
  const match = pattern.exec(id);
  if (match === null) return undefined;
  const mark = Number.parseInt(match[3] ?? '', 36);
  if (!Number.isSafeInteger(mark)) return undefined;
  return { slot: match[1] ?? '', mark, anchor: match[2] === '.' };
}

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

/** Returns the index shard for the tasks of a slot. Slots are hashes, so tasks spread evenly over the shards. */
export function shardOf(slot: string, shards: number): number {
  let number = 0;
  for (let i = 0; i < 4; i++) number = number * 64 + alphabet.indexOf(slot[i] ?? 'A');
  return number % shards;
}
