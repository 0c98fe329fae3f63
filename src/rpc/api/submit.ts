import type { SpecPeek } from '../../core/codec/spec.ts';
import type {
  CheckedItem,
  SubmitBatch,
  SubmitBatchResult,
  SubmitItem,
  SubmitOk,
  SubmitResult,
} from '../../core/messages.ts';
import { itemError } from '../../service/rejections.ts';
import type { CallContext } from './api.ts';
import type { ApiDeps } from './api-deps.ts';
import { ensureInTime } from './deadline.ts';
import { requireQueue, requireVerb, tenantOf } from './permission/access.ts';
import { batchCount, queue, submitItem, tenant } from './validation/tables.ts';
import { traceparentOf } from './validation/traceparent.ts';
import { type Check, ensure, Findings, field, message } from './validation/validate.ts';
import { errorOf } from './wire/from-wire.ts';

const batch: Check<SubmitBatch> = message<SubmitBatch>({
  tenant,
  queue,
  items: (items, parent, name, findings) => field(batchCount)(items.length, parent, name, findings),
});

/**
 * Prepares a submitted item for the service: makes an idempotency key if there is none, and drops a malformed
 * traceparent.
 */
function normalized(item: SubmitItem, names: SpecPeek, deps: ApiDeps, context: CallContext): CheckedItem {
  const traceparent = traceparentOf(item.traceparent === '' ? context.traceparent : item.traceparent);
  const { spec, options } = item;
  return { key: item.key === '' ? deps.clock.uuid() : item.key, spec, options, traceparent, names };
}

/** Submits a batch of tasks. An invalid item is answered with its error; the other items are accepted all the same. */
export async function submit(
  deps: ApiDeps,
  request: SubmitBatch,
  context: CallContext,
): Promise<SubmitBatchResult> {
  const { clock, service } = deps;
  const nowMs = clock.now();
  ensure(batch, request, nowMs);
  const { identity } = context;
  requireVerb(identity, 'submit');
  requireQueue(identity, request.queue);
  const target = { tenant: tenantOf(identity, request.tenant), queue: request.queue };

  const refused = new Map<number, SubmitResult>();
  const valid: CheckedItem[] = [];
  const findings = new Findings(nowMs);
  request.items.forEach((item, i) => {
    const names = submitItem(item, '', '', findings);
    const error = findings.takeItemError(i);
    if (error !== undefined) refused.set(i, { error: itemError(error) });
    else if (names !== undefined) valid.push(normalized(item, names, deps, context));
  });
  ensureInTime(clock, context);
  const results = valid.length === 0 ? [] : await service.submit(target, valid, context);
  if (refused.size === 0) return { results };
  return { results: mergeResults(request.items.length, refused, results) };
}

/**
 * Returns the results of a batch in the order of its items: refusals at their indexes, the other results in between.
 */
export function mergeResults<R>(count: number, refused: ReadonlyMap<number, R>, results: readonly R[]): R[] {
  let next = 0;
  return Array.from({ length: count }, (_, i) => refused.get(i) ?? (results[next++] as R));
}

/** Submits one task. Throws the error of the task if the task is refused. */
export async function submitOne(
  deps: ApiDeps,
  request: Omit<SubmitBatch, 'items'> & { readonly item: SubmitItem },
  context: CallContext,
): Promise<{ readonly ok: SubmitOk; readonly tenant: string }> {
  const { queue, item } = request;
  const { results } = await submit(deps, { tenant: request.tenant, queue, items: [item] }, context);
  const [result] = results;
  if (result === undefined) throw new RangeError('a submission has no result');
  if (result.error !== undefined) throw errorOf(asSingle(result.error));
  return { ok: result, tenant: tenantOf(context.identity, request.tenant) };
}

type Refusal = Parameters<typeof errorOf>[0];

/** Renames the fields of a batch's only item in an error: `items[0].key` becomes `item.key`. */
function asSingle(error: Refusal): Refusal {
  const rename = (text: string): string => text.replaceAll('items[0]', 'item');
  return {
    ...error,
    message: error.violations.length === 0 ? error.message : rename(error.message),
    violations: error.violations.map((v) => ({ ...v, field: rename(v.field) })),
  };
}
