import type { TaskId } from '../../../ports/task-store.ts';

/**
 * The two parts of a task id of the SQLite engine: the row number and the time of acceptance. A read by id needs no
 * index.
 */
export interface RowAddress {
  readonly seq: number;
  readonly acceptedAtMs: number;
}

let lastTime = { acceptedAtMs: 0, text: '0' };

/** Returns the id of a task. Tasks of one batch share their time of acceptance, whose text takes most of the time. */
export function idOf(seq: number, acceptedAtMs: number): TaskId {
  if (lastTime.acceptedAtMs !== acceptedAtMs) lastTime = { acceptedAtMs, text: acceptedAtMs.toString(36) };
  return `${seq.toString(36)}-${lastTime.text}`;
}

/**
 * Parses the base-36 digits of `text` from index `from` to just before index `to`. Returns −1 for other characters or a
 * leading zero.
 */
function parseBase36(text: string, from: number, to: number): number {
  if (to <= from || to - from > 11) return -1;
  let value = 0;
  for (let at = from; at < to; at++) {
    const unit = text.charCodeAt(at);
    const digit = unit >= 97 && unit <= 122 ? unit - 87 : unit >= 48 && unit <= 57 ? unit - 48 : -1;
    if (digit < 0 || (digit === 0 && at === from)) return -1;
    value = value * 36 + digit;
  }
  return value <= Number.MAX_SAFE_INTEGER ? value : -1;
}

/**
 * Parses a task id. Returns undefined if the SQLite engine did not make the id. Uses no regular expression, because
 * this is on the hot path.
 */
export function addressOf(id: TaskId): RowAddress | undefined {
  const dash = id.indexOf('-');
  const seq = parseBase36(id, 0, dash);
  const acceptedAtMs = parseBase36(id, dash + 1, id.length);
  return seq < 0 || acceptedAtMs < 0 ? undefined : { seq, acceptedAtMs };
}
