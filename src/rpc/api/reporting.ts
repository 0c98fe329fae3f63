/**
 * Handles settlements and heartbeats of Report streams and unary calls. Each item is checked and answered on its own.
 */
import { clipBytes, clipChars } from '../../core/clip.ts';
import { limits } from '../../core/limits.ts';
import type {
  HeartbeatAnswer,
  HeartbeatItem,
  ItemError,
  Settlement,
  SettleResult,
} from '../../core/messages.ts';
import { itemError } from '../../service/rejections.ts';
import type { ReportContext, SettleAnswer, SettleContext } from '../../service/service.ts';
import type { ApiDeps } from './api-deps.ts';
import { mergeResults } from './submit.ts';
import { batchCount, heartbeatItem, settlement } from './validation/tables.ts';
import { traceparentOf } from './validation/traceparent.ts';
import { type Check, ensure, field, validateItem } from './validation/validate.ts';

const items = field(batchCount);

/** Throws INVALID_ARGUMENT if a batch is empty or has too many items. */
export function ensureCount(batch: readonly unknown[], nowMs: number): void {
  ensure((n: number, _parent, _name, findings) => items(n, '', 'items', findings), batch.length, nowMs);
}

/** Checks each item of a batch. Returns the valid items in order, and the refusal of each invalid item by its index. */
function separateInvalid<I, R>(
  batch: readonly I[],
  check: Check<I>,
  nowMs: number,
  refuse: (error: ItemError) => R,
): { valid: I[]; refused: Map<number, R> } {
  const valid: I[] = [];
  const refused = new Map<number, R>();
  batch.forEach((item, i) => {
    const error = validateItem(check, item, `items[${i}]`, nowMs);
    if (error === undefined) valid.push(item);
    else refused.set(i, refuse(itemError(error)));
  });
  return { valid, refused };
}

/** Returns a settlement whose texts are cut to their limits, and without a malformed traceparent. */
function withinLimits(item: Settlement): Settlement {
  const { message, errorType, traceparent } = item;
  if (message === '' && errorType === '' && traceparent === undefined) return item;
  return {
    ...item,
    traceparent: traceparent === undefined ? undefined : traceparentOf(traceparent) || undefined,
    message: clipBytes(item.message, limits.messageBytes),
    errorType: clipChars(item.errorType, limits.errorTypeChars),
  };
}

/**
 * Settles each task of a batch. The promise never rejects: if the store fails for the whole batch, the result of each
 * item is the store's error.
 */
export async function settleEach(
  deps: ApiDeps,
  batch: readonly Settlement[],
  context: SettleContext,
): Promise<SettleAnswer> {
  const refuse = (error: ItemError): SettleResult => ({ error });
  const { valid, refused } = separateInvalid(batch, settlement, deps.clock.now(), refuse);
  if (valid.length === 0) return { results: mergeResults(batch.length, refused, []), credited: false };
  // A task whose settlement was refused keeps its lease and still uses one credit of the worker. The worker counts by
  // batches, so no credit of this one goes back to the session.
  const from = refused.size === 0 ? context : { ...context, sessionId: undefined };
  try {
    const { results, credited } = await deps.service.settle(valid.map(withinLimits), from);
    return { results: mergeResults(batch.length, refused, results), credited };
  } catch (thrown) {
    const failed = valid.map(() => refuse(itemError(thrown)));
    return { results: mergeResults(batch.length, refused, failed), credited: false };
  }
}

/**
 * Returns a heartbeat with a progress that the store takes: the fraction is limited to 0 to 1, and the note is cut. A
 * progress whose fraction is no number is left out. Progress is only information, so it never makes a heartbeat fail.
 */
function withValidProgress(item: HeartbeatItem): HeartbeatItem {
  const { progress } = item;
  if (progress === undefined) return item;
  if (Number.isNaN(progress.fraction)) return { ...item, progress: undefined };
  const fraction = Math.min(1, Math.max(0, progress.fraction));
  return { ...item, progress: { fraction, note: clipChars(progress.note, limits.progressNoteChars) } };
}

/**
 * Renews each lease of a batch of heartbeats. The promise never rejects: if the store fails for the whole batch, the
 * answer to each item is the store's error.
 */
export async function heartbeatEach(
  deps: ApiDeps,
  batch: readonly HeartbeatItem[],
  from: ReportContext,
): Promise<readonly HeartbeatAnswer[]> {
  const refuse = (error: ItemError): HeartbeatAnswer => ({ verdict: 'error', error });
  const { valid, refused } = separateInvalid(batch, heartbeatItem, deps.clock.now(), refuse);
  if (valid.length === 0) return mergeResults(batch.length, refused, []);
  try {
    return mergeResults(
      batch.length,
      refused,
      await deps.service.heartbeat(valid.map(withValidProgress), from),
    );
  } catch (thrown) {
    const failed = valid.map(() => refuse(itemError(thrown)));
    return mergeResults(batch.length, refused, failed);
  }
}
