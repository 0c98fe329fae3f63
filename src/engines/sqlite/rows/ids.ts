import type { TaskId } from '../../../ports/task-store.ts';

/** An id is the acceptance's place in the file and its time: it needs no index, and no acceptance shares it. */
export interface Place {
  readonly seq: number;
  readonly acceptedAtMs: number;
}

export function idOf(seq: number, acceptedAtMs: number): TaskId {
  return `${seq.toString(36)}-${acceptedAtMs.toString(36)}`;
}

/** Digits of base 36 without a leading zero, from `from` to before `to`; −1: they are none. */
function read(text: string, from: number, to: number): number {
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

/** Undefined for whatever this engine did not mint. Read digit by digit, since every change of a task comes by here. */
export function placeOf(id: TaskId): Place | undefined {
  const dash = id.indexOf('-');
  const seq = read(id, 0, dash);
  const acceptedAtMs = read(id, dash + 1, id.length);
  return seq < 0 || acceptedAtMs < 0 ? undefined : { seq, acceptedAtMs };
}
