/** The handlers of the drill's workers. */
import { SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { FatalError, handle } from '../../../src/index.ts';
import { book, charge, mostPages, pricesVariable, send } from './contract.ts';

/** How long a large document blocks the thread, in ms. */
const drawMs = 60_000;
const tracer = trace.getTracer('handlers');

/** Calls the price service within a span, as the instrumentation of an HTTP client does. */
function priceOf(order: number, signal: AbortSignal): Promise<number> {
  const url = new URL(`/prices/${order}`, process.env[pricesVariable]);
  const attributes = { 'server.address': url.hostname, 'url.path': '/prices' };
  return tracer.startActiveSpan('GET /prices', { kind: SpanKind.CLIENT, attributes }, async (span) => {
    try {
      const answer = await fetch(url, { signal });
      return ((await answer.json()) as { readonly cents: number }).cents;
    } catch (error) {
      span.setStatus({ code: SpanStatusCode.ERROR, message: (error as Error).message });
      throw error;
    } finally {
      span.end();
    }
  });
}

/** Draws the pages of an order by a call that is not asynchronous, as a library for images or `execSync` is. */
function draw(pages: number): void {
  if (pages > mostPages) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, drawMs);
}

export const charging = handle(charge, ({ order, pages }, { signal }) => {
  draw(pages);
  return priceOf(order, signal);
});

export const sending = handle(send, ({ letter }) => `letter ${letter}`);

export const booking = handle(book, ({ cents }) => {
  if (cents === 0) throw new FatalError('a booking of nothing');
  return cents;
});

export const concurrency = 4;
