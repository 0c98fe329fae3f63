import { createHash } from 'node:crypto';
import type { Scope } from '../../../../core/submission/submission.ts';
import type { TaskId } from '../../../../ports/task-store.ts';

/**
 * Where a task is kept, which its id tells: the slot of its key, and the time of its acceptance. The first task of a
 * slot is its anchor; a later generation has a partition of its own.
 */
export interface Place {
  readonly slot: string;
  /** Ms. Of two acceptances of one slot the later one has the larger number. */
  readonly mark: number;
  readonly anchor: boolean;
}

const slotChars = 22; // 132 bits, but for the first character
const pattern = /^([A-Za-z0-9_-]{22})([.~])(0|[1-9a-z][0-9a-z]{0,10})$/;

/**
 * Lengths before the parts, so that no two scopes have one slot. It never begins with '-', which a command would take for
 * an option.
 */
export function slotOf(scope: Scope): string {
  const hash = createHash('sha256');
  for (const part of [scope.tenant, scope.queue, scope.key]) hash.update(`${part.length}:${part}`);
  return hash.digest('base64url').slice(0, slotChars).replace(/^-/, '0');
}

export function idOf({ slot, mark, anchor }: Place): TaskId {
  return `${slot}${anchor ? '.' : '~'}${mark.toString(36)}`;
}

/** Undefined for whatever this engine did not mint. */
export function placeOf(id: TaskId): Place | undefined {
  const match = pattern.exec(id);
  if (match === null) return undefined;
  const mark = Number.parseInt(match[3] ?? '', 36);
  if (!Number.isSafeInteger(mark)) return undefined;
  return { slot: match[1] ?? '', mark, anchor: match[2] === '.' };
}

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

/** Spreads slots over shards evenly: a slot is a hash already. */
export function shardOf(slot: string, shards: number): number {
  let number = 0;
  for (let i = 0; i < 4; i++) number = number * 64 + alphabet.indexOf(slot[i] ?? 'A');
  return number % shards;
}
