import type {
  SubmitBatch,
  SubmitBatchResult,
  SubmitItem,
  SubmitOk,
  SubmitResult,
} from '../../core/messages.ts';
import { itemError } from '../../service/rejections.ts';
import { requireQueue, requireVerb, tenantOf } from './access.ts';
import type { CallContext } from './api.ts';
import { ensureInTime } from './deadline.ts';
import type { Parts } from './parts.ts';
import { traceparentOf } from './validation/clip.ts';
import { batchCount, queue, submitItem, tenant } from './validation/tables.ts';
import { type Check, ensure, field, judge, message } from './validation/validate.ts';
import { errorOf } from './wire/from-wire.ts';

const batch: Check<SubmitBatch> = message<SubmitBatch>({
  tenant,
  queue,
  items: (items, parent, name, findings) => field(batchCount)(items.length, parent, name, findings),
});

/** As the service takes it: keys made where none were given, a malformed trace dropped. */
function readied(item: SubmitItem, parts: Parts, context: CallContext): SubmitItem {
  const traceparent = traceparentOf(item.traceparent === '' ? context.traceparent : item.traceparent);
  if (item.key !== '' && traceparent === item.traceparent) return item;
  const { spec, options } = item;
  return { key: item.key === '' ? parts.clock.uuid() : item.key, spec, options, traceparent };
}

/** A bad item is answered with its error and keeps no other from being accepted. */
export async function submit(
  parts: Parts,
  request: SubmitBatch,
  context: CallContext,
): Promise<SubmitBatchResult> {
  const { clock, service } = parts;
  const nowMs = clock.now();
  ensure(batch, request, nowMs);
  const { identity } = context;
  requireVerb(identity, 'submit');
  requireQueue(identity, request.queue);
  const target = { tenant: tenantOf(identity, request.tenant), queue: request.queue };

  const refused = new Map<number, SubmitResult>();
  const good: SubmitItem[] = [];
  request.items.forEach((item, i) => {
    const error = judge(submitItem, item, `items[${i}]`, nowMs);
    if (error === undefined) good.push(readied(item, parts, context));
    else refused.set(i, { error: itemError(error) });
  });
  ensureInTime(clock, context);
  const answers = good.length === 0 ? [] : await service.submit(target, good, context);
  if (refused.size === 0) return { results: answers };
  return { results: merged(request.items.length, refused, answers) };
}

/** Answers in the order of the request, given what was refused at which place. */
export function merged<R>(count: number, refused: ReadonlyMap<number, R>, answers: readonly R[]): R[] {
  let next = 0;
  return Array.from({ length: count }, (_, i) => refused.get(i) ?? (answers[next++] as R));
}

/** The same for one item: its error is the call's. */
export async function submitOne(
  parts: Parts,
  request: Omit<SubmitBatch, 'items'> & { readonly item: SubmitItem },
  context: CallContext,
): Promise<{ readonly ok: SubmitOk; readonly tenant: string }> {
  const { queue, item } = request;
  const { results } = await submit(parts, { tenant: request.tenant, queue, items: [item] }, context);
  const [result] = results;
  if (result === undefined) throw new RangeError('a submission got no answer');
  if (result.error !== undefined) throw errorOf(asSingle(result.error));
  return { ok: result, tenant: tenantOf(context.identity, request.tenant) };
}

type Refusal = Parameters<typeof errorOf>[0];

/** `items[0].key` of the batch is `item.key` of the one. */
function asSingle(error: Refusal): Refusal {
  const told = (words: string): string => words.replaceAll('items[0]', 'item');
  return {
    ...error,
    message: error.violations.length === 0 ? error.message : told(error.message),
    violations: error.violations.map((v) => ({ ...v, field: told(v.field) })),
  };
}
