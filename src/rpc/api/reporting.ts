/** Settlements and heartbeats, from a Report stream or a unary call: each item is checked and answered alone. */
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
import type { Parts } from './parts.ts';
import { merged } from './submit.ts';
import { clipBytes, clipChars } from './validation/clip.ts';
import { batchCount, heartbeatItem, settlement } from './validation/tables.ts';
import { type Check, ensure, field, judge } from './validation/validate.ts';

const items = field(batchCount);

/** Throws where there are none or too many. */
export function ensureCount(batch: readonly unknown[], nowMs: number): void {
  ensure((n: number, _parent, _name, findings) => items(n, '', 'items', findings), batch.length, nowMs);
}

function sorted<I, R>(
  batch: readonly I[],
  check: Check<I>,
  nowMs: number,
  refuse: (error: ItemError) => R,
): { good: I[]; refused: Map<number, R> } {
  const good: I[] = [];
  const refused = new Map<number, R>();
  batch.forEach((item, i) => {
    const error = judge(check, item, `items[${i}]`, nowMs);
    if (error === undefined) good.push(item);
    else refused.set(i, refuse(itemError(error)));
  });
  return { good, refused };
}

function clipped(item: Settlement): Settlement {
  if (item.message === '' && item.errorType === '') return item;
  return {
    ...item,
    message: clipBytes(item.message, limits.messageBytes),
    errorType: clipChars(item.errorType, limits.errorTypeChars),
  };
}

/** Never rejects: where the whole batch failed, each item carries the error. */
export async function settleEach(
  parts: Parts,
  batch: readonly Settlement[],
  context: SettleContext,
): Promise<SettleAnswer> {
  const refuse = (error: ItemError): SettleResult => ({ error });
  const { good, refused } = sorted(batch, settlement, parts.clock.now(), refuse);
  // What was refused holds its lease still, and with it its credit: nothing is to be returned.
  if (good.length === 0) return { results: merged(batch.length, refused, []), credited: true };
  try {
    const { results, credited } = await parts.service.settle(good.map(clipped), context);
    return { results: merged(batch.length, refused, results), credited };
  } catch (thrown) {
    const failed = good.map(() => refuse(itemError(thrown)));
    return { results: merged(batch.length, refused, failed), credited: true };
  }
}

/** Never rejects, likewise. */
export async function heartbeatEach(
  parts: Parts,
  batch: readonly HeartbeatItem[],
  from: ReportContext,
): Promise<readonly HeartbeatAnswer[]> {
  const refuse = (error: ItemError): HeartbeatAnswer => ({ verdict: 'error', error });
  const { good, refused } = sorted(batch, heartbeatItem, parts.clock.now(), refuse);
  if (good.length === 0) return merged(batch.length, refused, []);
  try {
    return merged(batch.length, refused, await parts.service.heartbeat(good, from));
  } catch (thrown) {
    const failed = good.map(() => refuse(itemError(thrown)));
    return merged(batch.length, refused, failed);
  }
}
