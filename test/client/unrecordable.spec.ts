/**
 * Outcomes that cannot be sent or recorded, progress that is no progress, and callbacks, middleware and logs that throw.
 * None of them ends the worker, costs a lease, or concerns another task.
 */
import { expect, it as test } from 'vitest';
import type { Logger } from '../../src/client/log.ts';
import type { Outgoing } from '../../src/client/transport.ts';
import type { ReportRequest, Settlement } from '../../src/core/messages.ts';
import { defineTask, defineWorker, handle, type Retry, typed, type WorkerOptions } from '../../src/index.ts';
import { startClientServer } from './client-server.ts';
import { failureOf, kindsOf, working } from './working.ts';

const once = defineTask('once', {
  input: typed<{ n: number }>(),
  output: typed<unknown>(),
  retry: { maxAttempts: 1 },
});
const other = defineTask('other', {
  input: typed<null>(),
  output: typed<string>(),
  retry: { maxAttempts: 1 },
});
const otherHandler = handle(other, () => 'well');
const revoked = (): object => {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
};

function throwRevoked(): never {
  throw revoked();
}

/** Starts a worker of `once`, `other` and more, whose settlements pass through `change` on their way to the server. */
async function workingWith(change: (item: Settlement) => Settlement, more: Partial<WorkerOptions> = {}) {
  const it = await startClientServer();
  const { report } = it.transport;
  it.transport.report = (events) => {
    const out = report(events);
    const send: Outgoing<ReportRequest>['send'] = (message) =>
      out.send(message.kind === 'settlements' ? { ...message, items: message.items.map(change) } : message);
    return { send, drained: () => out.drained(), end: () => out.end(), abort: (error) => out.abort(error) };
  };
  const handlers = [handle(once, ({ n }) => ({ n })), otherHandler];
  await it.client.work(defineWorker({ handlers, ...more }));
  return it;
}
const holds = (text: string) => (item: Settlement) =>
  item.result !== undefined && new TextDecoder().decode(item.result).includes(text);

test('an outcome that the server refuses as invalid is recorded as a failure that says so, and its neighbours succeed', async () => {
  const isSeven = holds('"n":7');
  const dead: { message: string }[] = [];
  const it = await workingWith(
    (item) => (isSeven(item) ? { ...item, outcome: 'of no known kind' as never } : item),
    { onDead: (task) => void dead.push(task) },
  );
  const [bad, ...good] = await Promise.all([7, 1, 2, 3].map((n) => it.client.submit(once, { n })));
  const failure = await it.until(failureOf(bad?.result() as Promise<unknown>));
  expect(failure).toMatchObject({ attempts: 1, deadReason: 'attempts' });
  expect(failure.lastError).toMatch(
    /^The outcome of the attempt could not be recorded \(BAD_FIELD\): .*outcome/,
  );
  expect(dead).toMatchObject([{ message: failure.lastError, errorType: 'OutcomeRefused' }]);
  expect(await kindsOf(it, bad?.id ?? '')).toEqual(['submitted', 'claimed', 'died']);
  for (const [i, task] of good.entries()) expect(await it.until(task.result())).toEqual({ n: i + 1 });
  expect(it.lines.filter(({ level }) => level === 'warn')).toMatchObject([
    { message: expect.stringContaining('could not be recorded'), fields: { task_id: bad?.id } },
  ]);
});

test('an outcome that cannot be encoded fails its own attempt alone, and its batch is sent without it', async () => {
  const isSeven = holds('"n":7');
  const it = await workingWith((item) => {
    if (isSeven(item)) throw new RangeError('not encodable');
    return item;
  });
  const [bad, ...good] = await Promise.all([7, 1, 2, 3].map((n) => it.client.submit(once, { n })));
  expect((await it.until(failureOf(bad?.result() as Promise<unknown>))).lastError).toContain('not encodable');
  for (const [i, task] of good.entries()) expect(await it.until(task.result())).toEqual({ n: i + 1 });
  const slots = await Promise.all(
    Array.from({ length: 40 }, (_, n) => it.client.submit(once, { n: n + 100 })),
  );
  for (const [n, task] of slots.entries()) expect(await it.until(task.result())).toEqual({ n: n + 100 });
});

test('an attempt of which no outcome can be encoded is left to its lease, and the worker drains', async () => {
  const it = await workingWith((item) => {
    if (holds('"n":7')(item) || item.errorType === 'OutcomeRefused') throw new RangeError('not encodable');
    return item;
  });
  const task = await it.client.submit(once, { n: 7 });
  await it.advance(1_000);
  expect((await it.until(task.status())).state).toBe('running');
  expect(await it.until((await it.client.submit(other, null)).result())).toBe('well');
  const refused = it.lines.find(({ message }) => message.includes('refused the outcome'));
  expect(refused).toMatchObject({ level: 'warn', fields: { task_id: task.id } });
  await it.until(it.client.close());
});

test('a handler that reports what is no progress, in a loop for longer than its lease, keeps its lease and gets one log line', async () => {
  const it = await startClientServer();
  const reports: (readonly unknown[])[] = [
    ['50%'],
    [Number.NaN],
    [{}],
    [1n],
    [revoked()],
    [0.5, { note: 1 }],
    [0.25, Symbol('n')],
  ];
  await it.client.work(
    defineWorker({
      handlers: [
        handle(once, async (_input, context) => {
          for (let i = 0; i < 90; i++) {
            context.progress(...(reports[i % reports.length] as [number]));
            await it.clock.sleep(1_000);
          }
          return 'done';
        }),
        otherHandler,
      ],
    }),
  );
  const task = await it.client.submit(once, { n: 1 });
  await it.advance(60_000);
  expect((await it.until(task.status())).progress).toEqual({ fraction: expect.any(Number), note: '' });
  expect(await it.until((await it.client.submit(other, null)).result())).toBe('well');
  expect(await it.until(task.result())).toBe('done');
  expect(await kindsOf(it, task.id)).toEqual(['submitted', 'claimed', 'succeeded']);
  expect(it.lines.filter(({ level }) => level === 'warn')).toMatchObject([
    { message: expect.stringContaining('context.progress()'), fields: { task_id: task.id, value: '50%' } },
  ]);
});

test.each([
  [Number.POSITIVE_INFINITY, 1],
  [-3, 0],
  [50, 1],
])('a progress of %s is sent as %s', async (given, sent) => {
  const it = await startClientServer();
  const handler = handle(once, async (_input, context) => {
    context.progress(given, `a\ud800${'n'.repeat(400)}`);
    await it.clock.sleep(10_000);
  });
  await it.client.work(defineWorker({ handlers: [handler] }));
  const task = await it.client.submit(once, { n: 1 });
  await it.advance(2_000);
  const { progress } = await it.until(task.status());
  expect(progress).toEqual({ fraction: sent, note: `a\ufffd${'n'.repeat(254)}` });
});

type Backoff = Extract<Retry['backoff'], (...parameters: never[]) => unknown>;
test.each<[string, () => unknown]>([
  ['throws a revoked proxy', throwRevoked],
  ['returns NaN', () => Number.NaN],
  ['returns a symbol', () => Symbol('1s')],
  ['returns an object', () => ({})],
  ['returns a text that is no duration', () => 'x'.repeat(1_000_000)],
  ['returns a promise that rejects', () => Promise.reject(revoked())],
])(
  'a backoff function that %s leaves the wait to the server, and the task is tried again',
  async (_what, backoff) => {
    const paced = defineTask('paced', {
      input: typed<null>(),
      output: typed<number>(),
      retry: { maxAttempts: 2, backoff: backoff as Backoff },
    });
    const it = await working([
      handle(paced, (_input, { attempt }) => {
        if (attempt === 1) throw new Error('again');
        return attempt;
      }),
    ]);
    expect(await it.until((await it.client.submit(paced, null)).result())).toBe(2);
  },
);

test.each<[string, unknown]>([
  ['throws a revoked proxy', throwRevoked],
  ['returns a promise that rejects with a symbol', () => Promise.reject(Symbol('no'))],
  ['returns an object whose then throws', () => Object.defineProperty({}, 'then', { get: revoked })],
  ['is no function', 7],
])('an onDead callback that %s is logged, and the worker goes on', async (_what, onDead) => {
  const it = await working(
    [
      handle(once, () => {
        throw new Error('no luck');
      }),
      otherHandler,
    ],
    { onDead: onDead as never },
  );
  const task = await it.client.submit(once, { n: 1 });
  expect((await it.until(failureOf(task.result()))).lastError).toBe('no luck');
  expect(await it.until((await it.client.submit(other, null)).result())).toBe('well');
});

test.each<[string, unknown, string]>([
  ['throws a revoked proxy', throwRevoked, 'The handler threw a object'],
  ['returns a symbol', () => Symbol('no'), 'a symbol'],
  ['is no function', 'middleware', 'not a function'],
])('a middleware that %s fails the attempt with a message', async (_what, middleware, message) => {
  const it = await working([handle(once, () => 'done')], { use: [middleware as never] });
  const task = await it.client.submit(once, { n: 1 });
  expect((await it.until(failureOf(task.result()))).lastError).toContain(message);
});

test('a middleware that does not await next() does not end the process when the handler throws', async () => {
  const it = await working([handle(once, throwRevoked), otherHandler], {
    use: [
      async (_context, next) => {
        void next();
        return 'not awaited';
      },
    ],
  });
  expect(await it.until((await it.client.submit(once, { n: 1 })).result())).toBe('not awaited');
});

test.each<[string, () => unknown]>([
  ['throws', throwRevoked],
  ['returns a promise that rejects', () => Promise.reject(revoked())],
])('a log that %s at every line costs no task and does not end the worker', async (_what, line) => {
  const log = { debug: line, info: line, warn: line, error: line } as unknown as Logger;
  const it = await startClientServer({ log });
  const failing = handle(once, (_input, context) => {
    context.log.error(new Error('logged'));
    throw new Error('no luck');
  });
  await it.client.work(defineWorker({ handlers: [failing, otherHandler] }));
  const task = await it.client.submit(once, { n: 1 });
  expect((await it.until(failureOf(task.result()))).lastError).toBe('no luck');
  expect(await it.until((await it.client.submit(other, null)).result())).toBe('well');
});

test('context.log writes an Error as the field err, and any other value within limits', async () => {
  const it = await working([
    handle(once, (_input, { log }) => {
      log.error(new TypeError('as it is') as object);
      log.warn(7 as never, 'a number');
      log.info('m'.repeat(100_000));
      log.info({ n: 1, text: 't'.repeat(100_000), many: Array.from({ length: 100_000 }, () => 'item') });
      return 'done';
    }),
  ]);
  const task = await it.client.submit(once, { n: 1 });
  await it.until(task.result());
  const [error, number, text, fields] = it.lines;
  expect(error).toMatchObject({ level: 'error', message: 'as it is', fields: { task_id: task.id } });
  expect(error?.fields.err).toBeInstanceOf(TypeError);
  expect(number).toMatchObject({ message: 'a number', fields: { logged: '7', task_id: task.id } });
  expect(text?.message).toHaveLength(8_192);
  expect(fields?.fields).toMatchObject({ n: 1, task_id: task.id });
  expect(JSON.stringify(fields?.fields).length).toBeLessThan(100_000);
});
