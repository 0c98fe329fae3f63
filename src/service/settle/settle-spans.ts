import type { Settlement, SettleResult } from '../../core/messages.ts';
import { isSampled } from '../../core/submission/traceparent.ts';
import type { Snapshot } from '../../ports/task-store.ts';
import { spanName, taskAttributes } from '../../ports/trace-names.ts';
import { failureOf, type Span } from '../../ports/tracing.ts';
import type { ServiceContext } from '../context.ts';
import { StepSpans } from '../step-spans.ts';

/** Begins the server's spans of those settlements that belong to a sampled trace; undefined if there are none. */
export function beginSettleSpans(
  { tracing }: ServiceContext,
  items: readonly Settlement[],
  loaded: readonly { readonly index: number; readonly snapshot: Snapshot }[],
  startedAtMs: number,
): StepSpans | undefined {
  if (!tracing.isOn) return undefined;
  let spans: Map<number, Span> | undefined;
  for (const { index, snapshot } of loaded) {
    const { traceparent, outcome } = items[index] as Settlement;
    if (traceparent === undefined || !isSampled(traceparent)) continue;
    const { submission, head, id } = snapshot;
    const { queue } = submission.scope;
    const attributes = {
      ...taskAttributes('settle', queue, id, submission.type),
      'holdfast.attempt': head.attempt,
      'holdfast.outcome': outcome,
    };
    spans ??= new Map();
    spans.set(
      index,
      tracing.start({
        name: spanName('settle', queue),
        kind: 'server',
        parent: traceparent,
        attributes,
        startedAtMs,
      }),
    );
  }
  return spans && new StepSpans(tracing, spans);
}

/** Ends the spans of a batch of settlements. */
export function endSettleSpans(spans: StepSpans, results: readonly SettleResult[]): void {
  for (const index of spans.open) {
    const result = results[index];
    if (result === undefined) spans.end(index, {}, failureOf(undefined));
    else if (result.error === undefined) spans.end(index, { 'holdfast.state': result.state });
    else spans.end(index, {}, { type: result.error.reason, message: result.error.message });
  }
}
