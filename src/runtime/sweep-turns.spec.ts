import { expect, test } from 'vitest';
import { item } from '../../test/fixtures/api-node.ts';
import { noOptions } from '../core/codec/options.ts';
import type { OptionsRequest } from '../core/submission/submission.ts';
import type { Broker, DispatchMessage } from '../ports/broker.ts';
import { type LogFields, silentLog } from '../ports/log.ts';
import { createService } from '../service/create-service.ts';
import { externalMemory } from '../testing/external-broker.ts';
import { virtualClock } from '../testing/virtual-clock.ts';
import { startRuntime } from './runtime.ts';
import { sweep } from './sweep.ts';

const tenant = 'default';
const secondMs = 1_000;
const minuteMs = 60 * secondMs;

/** Starts a node whose dispatch messages take `sendMs` each, and records when they were sent. */
async function startSlowNode(sendMs: (queue: string) => number, runs = true) {
  const clock = virtualClock();
  const sentAtMs = new Map<string, number[]>();
  const errors: string[] = [];
  const engine = externalMemory({ clock });
  const send: Broker['send'] = async (messages) => {
    const queue = (messages[0] as DispatchMessage).queue.queue;
    const ms = sendMs(queue);
    if (ms > 0) await clock.sleep(ms);
    sentAtMs.set(queue, [...(sentAtMs.get(queue) ?? []), clock.now()]);
    return engine.broker.send(messages);
  };
  const broker: Broker = Object.assign(Object.create(engine.broker) as Broker, { send });
  const log = { ...silentLog, error: (_: LogFields, message: string) => void errors.push(message) };
  const running = await createService({ ...engine, broker, node: 'n', clock, log, createQueues: true });
  if (runs) startRuntime(running);
  await clock.advance(5 * secondMs);
  let tasks = 0;
  const submit = async (queue: string, count: number, options: Partial<OptionsRequest>) => {
    for (let from = 0; from < count; from += 100) {
      const items = Array.from({ length: Math.min(100, count - from) }, () =>
        item(`${queue}-${++tasks}`, { options: { ...noOptions, ...options } }),
      );
      const results = await running.service.submit({ tenant, queue }, items, { notAfterMs: undefined });
      expect(results.every((one) => one.error === undefined)).toBe(true);
    }
  };
  return {
    clock,
    errors,
    submit,
    context: running.context,
    sentOf: (queue: string) => sentAtMs.get(queue) ?? [],
  };
}

/** Returns by how many ms each dispatch message of a queue was late, if one task was due at each of these times. */
function lateness(dueAtMs: readonly number[], sent: readonly number[]): number[] {
  expect(sent).toHaveLength(dueAtMs.length);
  return dueAtMs.map((atMs, i) => (sent[i] ?? 0) - atMs);
}

test('while 5,000 tasks that became due at once are dispatched for 40 s, a task of another queue is never more than 2 s late', async () => {
  const { clock, submit, sentOf } = await startSlowNode(() => 400);
  await submit('large', 5_000, { runAtMs: clock.now() + minuteMs });
  await clock.advance(minuteMs - secondMs);
  const dueAtMs: number[] = [];
  for (let i = 0; i < 20; i++) {
    dueAtMs.push(clock.now() + secondMs);
    await submit('small', 1, { runAtMs: clock.now() + secondMs });
    await clock.advance(700);
  }
  expect(sentOf('large').length).toBeLessThan(5_000);
  await clock.advance(minuteMs);
  expect(new Set(sentOf('large')).size).toBeGreaterThan(20);
  expect(sentOf('large')).toHaveLength(5_000);
  for (const ms of lateness(dueAtMs, sentOf('small'))) expect(ms).toBeLessThanOrEqual(2 * secondMs);
});

test('a queue whose dispatch takes 30 s delays no due task of another queue by more than 2 s', async () => {
  const { clock, submit, sentOf } = await startSlowNode((queue) => (queue === 'stuck' ? 30 * secondMs : 20));
  await submit('stuck', 200, { runAtMs: clock.now() + secondMs });
  const dueAtMs: number[] = [];
  for (let i = 0; i < 20; i++) {
    dueAtMs.push(clock.now() + secondMs);
    await submit('small', 1, { runAtMs: clock.now() + secondMs });
    await clock.advance(1_300);
  }
  await clock.advance(5 * secondMs);
  for (const ms of lateness(dueAtMs, sentOf('small'))) expect(ms).toBeLessThanOrEqual(2 * secondMs);
  await clock.advance(5 * minuteMs);
  expect(sentOf('stuck')).toHaveLength(200);
});

test('a dispatch that never ends is logged after a minute, and its task is tried again', async () => {
  let never = true;
  const { clock, errors, submit, sentOf } = await startSlowNode(() => (never ? 100 * minuteMs : 0));
  await submit('q', 1, { runAtMs: clock.now() + secondMs });
  await clock.advance(30 * secondMs);
  never = false;
  await clock.advance(20 * secondMs);
  expect(sentOf('q')).toEqual([]);
  await clock.advance(15 * secondMs);
  expect(errors).toContain('an action on due tasks did not end; trying them again');
  expect(sentOf('q')).toHaveLength(1);
});

test('sweeps that follow one another act on each task once, also if a dispatch takes longer than a round', async () => {
  const { clock, submit, sentOf, context } = await startSlowNode(() => 1_700, false);
  await submit('q', 300, { runAtMs: clock.now() + secondMs });
  await clock.advance(secondMs);
  let isDone = false;
  const sweepAll = async (): Promise<void> => {
    while (await sweep(context, new AbortController().signal)) {
      // The sweep returned true, so more tasks may be due.
    }
    isDone = true;
  };
  const sweeping = sweepAll();
  while (!isDone) await clock.advance(secondMs);
  await sweeping;
  expect(sentOf('q')).toHaveLength(300);
});
