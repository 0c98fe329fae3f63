import { trace } from '@opentelemetry/api';
import { TracerProvider } from '@opentelemetry/sdk-trace';
import { afterEach, expect, it } from 'vitest';
import { OtelTracing } from './otel-tracing.ts';

const start = { name: 'one', kind: 'internal', parent: '', attributes: {} } as const;
const fail = (): never => {
  throw new Error('a defect of the program');
};
afterEach(() => trace.disable());

it('a sampler that throws costs the span and nothing else', () => {
  trace.setGlobalTracerProvider(new TracerProvider({ sampler: { shouldSample: fail } }));
  const span = new OtelTracing('1').start(start);
  expect([span.traceparent, span.run(() => 'done')]).toEqual(['', 'done']);
  span.end();
});

it('a span processor that throws costs the span and nothing else', () => {
  const whole = { onStart() {}, onEnd: fail, forceFlush: async () => {}, shutdown: async () => {} };
  trace.setGlobalTracerProvider(new TracerProvider({ spanProcessors: [whole] }));
  const span = new OtelTracing('1').start(start);
  expect(span.run(() => 'done')).toBe('done');
  span.end({ type: 'X', message: 'y' });
});

it('tracing is on once the program has registered an SDK, and off again without one', () => {
  const tracing = new OtelTracing('1');
  expect(tracing.isOn).toBe(false);
  trace.setGlobalTracerProvider(new TracerProvider());
  expect(tracing.isOn).toBe(true);
  trace.disable();
  expect(tracing.isOn).toBe(false);
});
