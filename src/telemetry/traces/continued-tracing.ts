import { context, ROOT_CONTEXT, trace } from '@opentelemetry/api';
import type { Span, SpanStart, Tracing } from '../../ports/tracing.ts';
import { remoteSpan } from './otel-tracing.ts';

/**
 * The tracing of a process in which an attempt runs whose span another process records: what begins here within the attempt
 * becomes a child of that span, and no other span is recorded for the attempt.
 */
export class ContinuedTracing implements Tracing {
  readonly #tracing: Tracing;

  constructor(tracing: Tracing) {
    this.#tracing = tracing;
  }

  get isOn(): boolean {
    return this.#tracing.isOn;
  }

  active(): string {
    return this.#tracing.active();
  }

  start({ parent }: SpanStart): Span {
    const remote = remoteSpan(parent);
    const around = remote === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, remote);
    return {
      traceparent: parent,
      isRecording: false,
      run: (work) => context.with(around, work),
      set() {},
      end() {},
    };
  }
}
