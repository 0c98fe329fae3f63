import { peekSpec } from '../../core/codec/spec.ts';
import type { SubmitItem, SubmitResult } from '../../core/messages.ts';
import type { QueueRef } from '../../core/queue-ref.ts';
import { isSampled } from '../../core/submission/traceparent.ts';
import { spanNames, taskAttributes } from '../../ports/trace-names.ts';
import { failureOf, type Span } from '../../ports/tracing.ts';
import type { ServiceContext } from '../context.ts';
import { StepSpans } from '../step-spans.ts';

/** Begins the server's spans of those submissions that belong to a sampled trace; undefined if there are none. */
export function beginSubmitSpans(
  { tracing }: ServiceContext,
  { queue }: QueueRef,
  items: readonly SubmitItem[],
): StepSpans | undefined {
  if (!tracing.isOn) return undefined;
  let spans: Map<number, Span> | undefined;
  for (let i = 0; i < items.length; i++) {
    const { traceparent, spec } = items[i] as SubmitItem;
    if (!isSampled(traceparent)) continue;
    const attributes = {
      ...taskAttributes('submit', queue, undefined, peekSpec(spec).type),
      'rpc.method': spanNames.submitCall,
      'messaging.batch.message_count': items.length,
    };
    spans ??= new Map();
    spans.set(
      i,
      tracing.start({ name: spanNames.submitCall, kind: 'server', parent: traceparent, attributes }),
    );
  }
  return spans && new StepSpans(tracing, spans);
}

/** Ends the spans of a submit call. */
export function endSubmitSpans(spans: StepSpans, results: readonly SubmitResult[]): void {
  for (const index of spans.open) {
    const result = results[index];
    if (result === undefined) spans.end(index, {}, failureOf(undefined));
    else if (result.error !== undefined) {
      const { reason: type, message } = result.error;
      spans.end(index, {}, { type, message });
    } else {
      const { id, state, deduplicated } = result;
      spans.end(index, {
        'holdfast.task.id': id,
        'messaging.message.id': id,
        'holdfast.state': state,
        'holdfast.deduplicated': deduplicated,
      });
    }
  }
}

/** Ends the spans of a submit call that failed as a whole. */
export function failSubmitSpans(spans: StepSpans, thrown: unknown): void {
  const failure = failureOf(thrown);
  for (const index of spans.open) spans.end(index, {}, failure);
}
