/** An OpenTelemetry SDK that a test registers in its own process, with the spans that it has recorded. */
import { context, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import {
  InMemorySpanExporter,
  ParentBasedSampler,
  type ReadableSpan,
  type Sampler,
  SimpleSpanProcessor,
  TracerProvider,
} from '@opentelemetry/sdk-trace';

export interface RecordedSpans {
  readonly all: readonly ReadableSpan[];
  /** Returns the span of this name; fails if there is none, or more than one. */
  only(name: string): ReadableSpan;
  named(name: string): readonly ReadableSpan[];
  clear(): void;
}

export function recordSpans(root: Sampler): RecordedSpans {
  const exporter = new InMemorySpanExporter();
  const provider = new TracerProvider({
    sampler: new ParentBasedSampler({ root }),
    spanProcessors: [new SimpleSpanProcessor({ exporter })],
  });
  trace.setGlobalTracerProvider(provider);
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  const named = (name: string): readonly ReadableSpan[] =>
    exporter.getFinishedSpans().filter((span) => span.name === name);
  return {
    get all() {
      return exporter.getFinishedSpans();
    },
    named,
    only(name) {
      const [span, ...others] = named(name);
      if (span === undefined || others.length > 0)
        throw new Error(`${others.length + (span ? 1 : 0)} spans are named ${name}`);
      return span;
    },
    clear: () => exporter.reset(),
  };
}

export const idOf = (span: ReadableSpan): string => span.spanContext().spanId;
export const traceOf = (span: ReadableSpan): string => span.spanContext().traceId;
export const parentOf = (span: ReadableSpan): string | undefined => span.parentSpanContext?.spanId;
