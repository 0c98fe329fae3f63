import type { TaskId } from '../../ports/task-store.ts';

/** An id is the acceptance's place in the file and its time: it needs no index, and no acceptance shares it. */
export interface Place {
  readonly seq: number;
  readonly acceptedAtMs: number;
}

export function idOf(seq: number, acceptedAtMs: number): TaskId {
  return `${seq.toString(36)}-${acceptedAtMs.toString(36)}`;
}

/** Undefined for whatever this engine did not mint. */
export function placeOf(id: TaskId): Place | undefined {
  const dash = id.indexOf('-');
  if (dash < 1) return undefined;
  const seq = Number.parseInt(id.slice(0, dash), 36);
  const acceptedAtMs = Number.parseInt(id.slice(dash + 1), 36);
  if (!Number.isSafeInteger(seq) || !Number.isSafeInteger(acceptedAtMs)) return undefined;
  return idOf(seq, acceptedAtMs) === id ? { seq, acceptedAtMs } : undefined;
}
