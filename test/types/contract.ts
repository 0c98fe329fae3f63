// Type tests of the SDK's contracts, handlers and submissions. This file is compiled and never run.
import type { WebhookEvent } from '@octokit/webhooks-types';
import { type } from 'arktype';
import * as v from 'valibot';
import { z } from 'zod';
import {
  type Client,
  defineTask,
  defineWorker,
  FatalError,
  handle,
  type InputOf,
  type Middleware,
  type ResultOf,
  RetryAfter,
  Snooze,
  typed,
} from '../../src/index.ts';

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function same<A, B>(_yes: Same<A, B>): void {}

declare const client: Client;

// Task types with zod 4, valibot, arktype, and without a schema library.
export const sendInvoice = defineTask('send-invoice', {
  input: z.object({
    orderId: z.string(),
    cents: z.number().int(),
    due: z.iso.date().transform((text) => new Date(text)),
    copies: z.number().default(1),
  }),
  output: z.object({ receipt: z.string() }),
  queue: 'billing',
  retry: { maxAttempts: 8, backoff: { base: '1s', max: '5m' } },
  timeout: '30s',
  idempotencyKey: (input) => `invoice/${input.orderId}`,
  orderingKey: (input) => input.orderId,
  version: 2,
  upgrade: { 1: (old) => ({ due: '2026-12-31', ...old }) },
});
export const resize = defineTask('resize', {
  input: v.object({ url: v.pipe(v.string(), v.url()) }),
  output: v.object({ bytes: v.number() }),
});
export const audit = defineTask('audit', { input: type({ who: 'string', 'when?': 'string' }) });
export const note = defineTask('note', { input: typed<{ text: string }>() });
export const nothing = defineTask('nothing', { input: typed<void>() });
export const polled = defineTask('poll', {
  input: typed<{ url: string }>(),
  retry: { maxAttempts: 100, backoff: (attempt, error) => (error instanceof Error ? attempt * 1_000 : '1m') },
});

same<typeof sendInvoice.name, 'send-invoice'>(true);
same<
  InputOf<typeof sendInvoice>,
  { orderId: string; cents: number; due: string; copies?: number | undefined }
>(true);
same<ResultOf<typeof sendInvoice>, { receipt: string }>(true);
same<InputOf<typeof audit>, { who: string; when?: string }>(true);
same<ResultOf<typeof note>, void>(true);

// A handler gets the output type of its task type's input schema, and returns the input type of the output schema.
const timed: Middleware = async (context, next) => {
  const result = await next();
  context.log.info({ type: context.type }, 'done');
  return result;
};
const invoice = handle(
  sendInvoice,
  async ({ orderId, cents, due, copies }, context) => {
    same<typeof due, Date>(true);
    same<typeof copies, number>(true);
    if (cents < 0) throw new FatalError('a negative invoice is never right');
    if (cents === 0) throw new Snooze('10m');
    context.progress(0.5, 'charging');
    same<typeof context.signal, AbortSignal>(true);
    same<typeof context.fencingToken, number>(true);
    const child = await context.submit(note, { text: `paid ${orderId}` });
    same<Awaited<ReturnType<typeof child.result>>, void>(true);
    return { receipt: `${context.idempotencyKey}/${context.attempt}` };
  },
  { concurrency: 8, timeout: '20s' },
);
export const worker = defineWorker({
  concurrency: 64,
  use: [timed],
  handlers: [
    invoice,
    handle(resize, async ({ url }) => {
      if (url === '') throw new RetryAfter('30s');
      return { bytes: url.length };
    }),
    handle(audit, ({ who }) => void who.toUpperCase()),
    handle(note, () => {}),
    handle(nothing, () => {}),
  ],
  onDead: ({ id, attempt }) => void [id, attempt],
});

// A submission takes the input type of the input schema; its result has the output type of the output schema.
const task = await client.submit(
  sendInvoice,
  { orderId: 'o-1', cents: 4_200, due: '2026-12-24' },
  { delay: '10m', tags: ['eu'], priority: 'high' },
);
const { receipt } = await task.result({ timeout: '1m' });
same<typeof receipt, string>(true);
for (const outcome of await client.submitMany(resize, [{ input: { url: 'https://x/a.png' } }])) {
  if (outcome.ok) same<Awaited<ReturnType<typeof outcome.task.result>>, { bytes: number }>(true);
  else same<typeof outcome.error.retryable, boolean>(true);
}
await client.submit(nothing, undefined);
same<Awaited<ReturnType<ReturnType<typeof known>['result']>>, { receipt: string }>(true);
function known() {
  return client.task('1.abc', sendInvoice);
}
for await (const event of task.events()) same<typeof event.at, Date>(true);
await using running = await client.work(worker);
await running.done;

// Allowed inputs: interfaces, readonly arrays, optional and recursive parts, and a union of about 60 deep webhook events.
interface Address {
  street: string;
  lines?: readonly string[] | undefined;
  parent?: Address;
}
defineTask('ship', { input: typed<Address>() });
type Tree = { name: string; children: Tree[] } | { leaf: string | number | null };
defineTask('tree', { input: typed<Tree>() });
const webhook = defineTask('webhook', { input: typed<WebhookEvent>(), output: typed<{ status: number }>() });
handle(webhook, (event) => {
  if ('pull_request' in event) event.pull_request.title.toUpperCase();
  return { status: 200 };
});
defineTask('anything', { input: typed<unknown>() });

// The following statements must not compile.
// @ts-expect-error a field has the wrong type
await client.submit(sendInvoice, { orderId: 1, cents: 4_200, due: '2026-12-24' });
// @ts-expect-error a field is missing
await client.submit(sendInvoice, { orderId: 'o-1' });
// @ts-expect-error the input is missing
await client.submit(note);
// @ts-expect-error the handler returns another shape
handle(sendInvoice, async () => ({ receipt: 1 }));
// @ts-expect-error the handler returns nothing
handle(resize, () => {});
// @ts-expect-error the input has no field title
handle(note, ({ title }) => void title);
// @ts-expect-error JSON cannot carry a Date
defineTask('bad', { input: z.object({ at: z.date() }) });
// @ts-expect-error JSON cannot carry a bigint
defineTask('bad', { input: z.object({ amount: z.bigint() }) });
// @ts-expect-error JSON cannot carry a Map, four levels deep
defineTask('bad', { input: typed<{ a: { b: { c: Map<string, string>[] } } }>() });
// @ts-expect-error JSON cannot carry a function
defineTask('bad', { input: typed<{ call: () => void }>() });
// @ts-expect-error JSON cannot carry a Date in a result
defineTask('bad', { input: typed<string>(), output: typed<{ at: Date }>() });
// @ts-expect-error JSON cannot carry a Date of valibot
defineTask('bad', { input: v.object({ at: v.date() }) });
// @ts-expect-error JSON cannot carry a Date of arktype
defineTask('bad', { input: type({ at: 'Date' }) });
// @ts-expect-error '10 minutes' is no duration
await client.submit(note, { text: '' }, { delay: '10 minutes' });
// @ts-expect-error 'urgent' is no priority
await client.submit(note, { text: '' }, { priority: 'urgent' });
// @ts-expect-error the result has no field amount
(await task.result()).amount;
// @ts-expect-error the input has no field b to make the idempotency key from
defineTask('bad', { input: typed<{ a: string }>(), idempotencyKey: (input) => input.b });
// @ts-expect-error the input must be a schema, not an object type
defineTask('bad', { input: { text: 'string' } });
// @ts-expect-error handle has no option parallel
handle(note, () => {}, { parallel: 3 });
