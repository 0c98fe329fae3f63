import { context, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import { afterEach, expect, it } from 'vitest';
import { ContinuedTracing } from './continued-tracing.ts';
import { OtelTracing } from './otel-tracing.ts';

afterEach(() => {
  trace.disable();
  context.disable();
});

it('what begins within a continued span is its child, and the span itself is not recorded again', () => {
  const exporter = new InMemorySpanExporter();
  const spanProcessors = [new SimpleSpanProcessor({ exporter })];
  trace.setGlobalTracerProvider(new TracerProvider({ spanProcessors }));
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  const tracing = new ContinuedTracing(new OtelTracing('1'));
  const parent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
  const attempt = tracing.start({ name: 'process q', kind: 'consumer', parent, attributes: {} });
  attempt.run(() => trace.getTracer('handler').startSpan('own').end());
  attempt.end({ type: 'X' });
  const spans = exporter.getFinishedSpans();
  expect(attempt.traceparent).toBe(parent);
  expect(spans.map(({ name, parentSpanContext }) => [name, parentSpanContext?.spanId])).toEqual([
    ['own', 'b7ad6b7169203331'],
  ]);
});
