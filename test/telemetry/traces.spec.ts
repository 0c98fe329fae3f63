import { SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { AlwaysOnSampler } from '@opentelemetry/sdk-trace';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type AttemptContext,
  type Client,
  connect,
  defineTask,
  defineWorker,
  FatalError,
  handle,
  Snooze,
  typed,
} from '../../src/index.ts';
import { recordingLog } from '../fixtures/listening-node.ts';
import { idOf, parentOf, recordSpans, traceOf } from './recorded-spans.ts';

const spans = recordSpans(new AlwaysOnSampler());
const tracer = trace.getTracer('program');
const note = defineTask('note', {
  queue: 'notes',
  input: typed<object>(),
  output: typed<unknown>(),
  retry: { maxAttempts: 2, backoff: () => '1ms' },
});

const log = recordingLog();
let client: Client;
beforeEach(() => {
  spans.clear();
  log.lines.length = 0;
  client = connect('memory:', { log: log as never });
});
afterEach(() => client.close());

/** Starts a worker of `note` whose handler is `run`. */
async function work(run: (context: AttemptContext) => unknown) {
  await client.work(defineWorker({ queues: ['notes'], handlers: [handle(note, (_, it) => run(it))] }));
}

/** Waits until `count` spans of this name have ended. */
async function ended(name: string, count: number) {
  await expect.poll(() => spans.named(name).length).toBe(count);
  return spans.named(name);
}

describe('the trace of a task', () => {
  it("continues the program's span, and the handler's own spans are its leaves", async () => {
    await work(async () => {
      await new Promise((resolve) => setTimeout(resolve, 1));
      tracer.startSpan('own work').end();
    });
    const caller = tracer.startSpan('request');
    const task = await trace.getTracer('x').startActiveSpan('inner', {}, async (inner) => {
      const submitted = await client.submit(note, {});
      inner.end();
      return submitted;
    });
    caller.end();
    await task.result();
    await ended('settle notes', 2);

    const submit = spans.only('submit notes');
    const call = spans.only('holdfast.v1.TaskService/SubmitTasks');
    const claim = spans.only('claim notes');
    const attempt = spans.only('process notes');
    const [server, worker] = spans.named('settle notes');
    expect(parentOf(submit)).toBe(idOf(spans.only('inner')));
    expect(parentOf(call)).toBe(idOf(submit));
    expect(parentOf(claim)).toBe(idOf(submit));
    expect(parentOf(attempt)).toBe(idOf(submit));
    expect(parentOf(spans.only('own work'))).toBe(idOf(attempt));
    expect(worker && parentOf(worker)).toBe(idOf(attempt));
    expect(server && parentOf(server)).toBe(worker && idOf(worker));
    expect(spans.named('store commit').map(parentOf).toSorted()).toEqual(
      [call, server].map((span) => span && idOf(span)).toSorted(),
    );
    expect(new Set(spans.all.filter((span) => span.name !== 'request').map(traceOf)).size).toBe(1);
    expect([submit, call, claim, attempt].map(({ kind }) => kind)).toEqual([
      SpanKind.PRODUCER,
      SpanKind.SERVER,
      SpanKind.INTERNAL,
      SpanKind.CONSUMER,
    ]);
    expect(attempt.attributes).toEqual({
      'messaging.system': 'holdfast',
      'messaging.operation.name': 'process',
      'messaging.operation.type': 'process',
      'messaging.destination.name': 'notes',
      'messaging.message.id': task.id,
      'holdfast.task.id': task.id,
      'holdfast.task.type': 'note',
      'holdfast.attempt': 1,
      'holdfast.queue_time_ms': expect.any(Number),
      'holdfast.worker': expect.stringContaining('/'),
      'holdfast.outcome': 'succeeded',
    });
    expect(server?.attributes).toMatchObject({ 'holdfast.state': 'succeeded' });
  });

  it('begins with the submission if the program has no span', async () => {
    await client.submit(note, {});
    expect(parentOf(spans.only('submit notes'))).toBeUndefined();
  });

  it('continues the traceparent that the caller gives, and not the span around the call', async () => {
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    await tracer.startActiveSpan('around', async (span) => {
      await client.submit(note, {}, { traceparent });
      span.end();
    });
    const submit = spans.only('submit notes');
    expect([traceOf(submit), parentOf(submit)]).toEqual([
      '0af7651916cd43dd8448eb211c80319c',
      'b7ad6b7169203331',
    ]);
  });

  it('is a new one if the given traceparent is malformed or hostile', async () => {
    const bad = ['00-xyz', `00-${'0'.repeat(32)}-${'0'.repeat(16)}-01`, `${'<script>'.repeat(20)}01`];
    for (const traceparent of bad) await client.submit(note, {}, { traceparent });
    expect(spans.named('submit notes').map(parentOf)).toEqual([undefined, undefined, undefined]);
  });

  it('has no span at all if it is not sampled, and its context still reaches the handler', async () => {
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00';
    const received: string[] = [];
    await work((context) => void received.push(context.traceparent));
    const task = await client.submit(note, {}, { traceparent });
    await task.result();
    expect(received).toEqual([traceparent]);
    expect(spans.all).toEqual([]);
  });

  it('has the child tasks of its handler, under the attempt that submitted them', async () => {
    const child = defineTask('child', { queue: 'children', input: typed<object>() });
    await work((context) => context.submit(child, {}).then(({ id }) => id));
    const task = await client.submit(note, {});
    await task.result();
    expect(parentOf(spans.only('submit children'))).toBe(idOf(spans.only('process notes')));
  });
});

describe('a later attempt', () => {
  it('has a trace of its own that links to the submission, after a failure', async () => {
    let tries = 0;
    await work((context) => {
      context.log.info('a line of the handler');
      if (++tries === 1) throw new TypeError('no luck');
    });
    const task = await client.submit(note, {});
    await task.result();
    await ended('settle notes', 4);
    const submit = spans.only('submit notes');
    const [first, second] = await ended('process notes', 2);
    const [, claim] = spans.named('claim notes');
    expect(first && parentOf(first)).toBe(idOf(submit));
    expect(first?.status).toEqual({ code: SpanStatusCode.ERROR, message: 'no luck' });
    expect(first?.attributes).toMatchObject({ 'holdfast.outcome': 'failed', 'error.type': 'TypeError' });
    expect(claim && parentOf(claim)).toBeUndefined();
    expect(second && parentOf(second)).toBe(claim && idOf(claim));
    expect(second && traceOf(second)).not.toBe(traceOf(submit));
    for (const span of [claim, second])
      expect(span?.links.map(({ context }) => context.spanId)).toEqual([idOf(submit)]);
    const lines = log.lines.filter(({ message }) => message === 'a line of the handler');
    expect(lines.map(({ trace_id, span_id }) => [trace_id, span_id])).toEqual(
      [first, second].map((span) => span && [traceOf(span), idOf(span)]),
    );
    const failed = log.lines.find(({ message }) => message === 'an attempt failed');
    expect(failed?.span_id).toBe(first && idOf(first));
  });

  it('has a trace of its own after a redrive', async () => {
    let tries = 0;
    await work(() => {
      if (++tries === 1) throw new FatalError('not now');
    });
    const task = await client.submit(note, {});
    await task.result().catch(() => {});
    await task.redrive();
    await task.result();
    const [, second] = await ended('process notes', 2);
    expect(second && traceOf(second)).not.toBe(traceOf(spans.only('submit notes')));
    expect(second?.links.map(({ context }) => context.spanId)).toEqual([idOf(spans.only('submit notes'))]);
  });

  it('is the first one again after a snooze, which is no failure', async () => {
    let tries = 0;
    await work(() => {
      if (++tries === 1) throw new Snooze('1ms');
    });
    const task = await client.submit(note, {});
    await task.result();
    const attempts = await ended('process notes', 2);
    expect(attempts.map(parentOf)).toEqual([
      idOf(spans.only('submit notes')),
      idOf(spans.only('submit notes')),
    ]);
    expect(attempts.map(({ status, attributes }) => [status.code, attributes['holdfast.outcome']])).toEqual([
      [SpanStatusCode.UNSET, 'snoozed'],
      [SpanStatusCode.UNSET, 'succeeded'],
    ]);
  });
});

it('a submission that is refused has a span with the reason', async () => {
  await client.submit(note, { a: 1 }, { idempotencyKey: 'k' });
  await expect(client.submit(note, { a: 2 }, { idempotencyKey: 'k' })).rejects.toThrow();
  const [, submit] = spans.named('submit notes');
  const [, call] = spans.named('holdfast.v1.TaskService/SubmitTasks');
  for (const span of [submit, call]) {
    expect(span?.status.code).toBe(SpanStatusCode.ERROR);
    expect(span?.attributes['error.type']).toBe('KEY_REUSED');
  }
});
