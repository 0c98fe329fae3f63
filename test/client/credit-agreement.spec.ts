/** The law of decision 022: a worker and its server agree on the worker's credit, whatever happens to their streams. */
import fc from 'fast-check';
import { expect, it, vi } from 'vitest';
import { createClient } from '../../src/client/create-client.ts';
import type { Logger } from '../../src/client/log.ts';
import type { Credits } from '../../src/client/worker/streams/credits.ts';
import { memory } from '../../src/engines/memory/index.ts';
import { defineTask, defineWorker, handle, typed } from '../../src/index.ts';
import { inProcess } from '../../src/node/in-process.ts';
import { startNode } from '../../src/node/node.ts';
import { silentLog } from '../../src/ports/log.ts';
import type { HelloCredits, SessionCredits } from '../../src/service/session/session-credits.ts';
import { virtualClock } from '../../src/testing/virtual-clock.ts';
import { storeError } from '../fixtures/store-error.ts';
import { UnevenLink } from './uneven-link.ts';

interface Input {
  readonly x: string;
  readonly ms: number;
}
const job = defineTask('job', { input: typed<Input>(), output: typed<number>() });
const slow = defineTask('slow', { input: typed<Input>(), output: typed<number>() });
/** The most attempts of the type `slow` at one time. */
const slowMost = 2;
/** The most payload bytes that a worker may hold. */
const bytesMax = 67_108_864;

type Step =
  | {
      readonly do: 'submit';
      readonly type: 'job' | 'slow';
      readonly count: number;
      readonly ms: number;
      readonly kb: number;
    }
  | { readonly do: 'wait'; readonly ms: number }
  | {
      readonly do: 'delay';
      readonly stream: 'work' | 'report';
      readonly direction: 'up' | 'down';
      readonly ms: number;
    }
  | { readonly do: 'narrow'; readonly ms: number }
  | { readonly do: 'cut'; readonly stream: 'work' | 'report'; readonly serverIsLate: boolean }
  | { readonly do: 'loseAnswers'; readonly ms: number; readonly serverIsLate: boolean }
  | { readonly do: 'holdStore'; readonly ms: number }
  | { readonly do: 'failStore'; readonly ms: number }
  | { readonly do: 'burst'; readonly count: number; readonly kb: number }
  | { readonly do: 'compare' };

const stream = fc.constantFrom('work' as const, 'report' as const);
const waitMs = fc.constantFrom(0, 1, 10, 100, 600, 2_000);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('submit' as const),
      type: fc.constantFrom('job' as const, 'job' as const, 'slow' as const),
      count: fc.constantFrom(1, 3, 30, 70),
      ms: fc.constantFrom(0, 5, 50, 700, 2_000),
      kb: fc.constantFrom(0, 20, 200),
    }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: waitMs }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('delay' as const),
      stream,
      direction: fc.constantFrom('up' as const, 'down' as const),
      ms: fc.constantFrom(0, 5, 80, 900),
    }),
  },
  fc.record({ do: fc.constant('narrow' as const), ms: fc.constantFrom(0, 1, 4) }),
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('cut' as const), stream, serverIsLate: fc.boolean() }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('loseAnswers' as const), ms: waitMs, serverIsLate: fc.boolean() }),
  },
  fc.record({ do: fc.constant('holdStore' as const), ms: waitMs }),
  fc.record({ do: fc.constant('failStore' as const), ms: waitMs }),
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('burst' as const),
      count: fc.constantFrom(12, 30, 70),
      kb: fc.constantFrom(20, 200),
    }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('compare' as const) }) },
);

const fast = { do: 'submit', type: 'job', count: 30, ms: 5, kb: 0 } as const;
/**
 * Makes the worker send a hello after it has received the first of two messages of one assignment: the answers to the
 * settlements of that message's tasks are lost.
 */
const helloAmidPieces = (beforeMs: number, ms: number, serverIsLate: boolean): readonly Step[] => [
  { do: 'narrow', ms: 4 },
  { do: 'burst', count: 70, kb: 20 },
  { do: 'wait', ms: beforeMs },
  { do: 'loseAnswers', ms, serverIsLate },
  { do: 'narrow', ms: 0 },
  { do: 'wait', ms: 5_000 },
  { do: 'compare' },
];
/** A batch of settlements that the server gets after the hello that the worker sent later. */
const lateBatch = (ms: number): readonly Step[] => [
  { do: 'delay', stream: 'report', direction: 'up', ms: 900 },
  fast,
  { do: 'wait', ms },
  { do: 'cut', stream: 'report', serverIsLate: true },
  { do: 'wait', ms: 2_000 },
  { do: 'compare' },
];
const beforeMs = fc.constantFrom(3_500, 4_000, 4_300);
const lateBatches = fc.constantFrom(10, 100, 600).map(lateBatch);
const hellosAmidPieces = fc
  .tuple(beforeMs, fc.constantFrom(100, 600), fc.boolean())
  .map((parts) => helloAmidPieces(...parts));
const steps = fc
  .array(
    fc.oneof(
      { weight: 8, arbitrary: step.map((one): readonly Step[] => [one]) },
      { weight: 1, arbitrary: hellosAmidPieces },
      { weight: 1, arbitrary: lateBatches },
    ),
    { minLength: 3, maxLength: 30 },
  )
  .map((parts) => parts.flat());

/** The credit counts of all workers and of all sessions, the newest last. */
const counts = vi.hoisted(() => ({ workers: [] as Credits[], sessions: [] as SessionCredits[] }));
vi.mock(import('../../src/client/worker/streams/credits.ts'), async (original) => {
  const actual = await original();
  class Observed extends actual.Credits {
    constructor() {
      super();
      counts.workers.push(this);
    }
  }
  return { ...actual, Credits: Observed };
});
vi.mock(import('../../src/service/session/session-credits.ts'), async (original) => {
  const actual = await original();
  class Observed extends actual.SessionCredits {
    constructor(hello: HelloCredits) {
      super(hello);
      counts.sessions.push(this);
    }
  }
  return { ...actual, SessionCredits: Observed };
});

/** Compares the tasks and bytes that the newest session may still assign with the worker's count of them. */
function expectAgreement(): void {
  const worker = counts.workers.at(-1);
  const session = counts.sessions.at(-1);
  expect({ tasks: session?.tasks, bytes: session?.bytes }).toEqual({
    tasks: worker?.excess(0, 0),
    bytes: worker?.excessBytes(bytesMax),
  });
}

async function holds(concurrency: number, all: readonly Step[]): Promise<void> {
  const clock = virtualClock();
  const engine = memory({ clock });
  const append = engine.store.append.bind(engine.store);
  let heldUntilMs = 0;
  let failsUntilMs = 0;
  let writing = 0;
  Object.assign(engine.store, {
    append: async (...args: Parameters<typeof append>) => {
      const nowMs = clock.monotonic();
      writing++;
      try {
        if (nowMs < heldUntilMs) await clock.sleep(heldUntilMs - nowMs);
        if (nowMs < failsUntilMs) throw storeError();
        return await append(...args);
      } finally {
        writing--;
      }
    },
  });
  const node = await startNode({ engine, clock, log: silentLog, node: 'n' });
  const link = new UnevenLink(inProcess({ api: node.api, clock }), clock);
  const log = silentLog as Logger;
  const submitter = createClient(inProcess({ api: node.api, clock }), { clock, log });
  const client = createClient(link, { clock, log });
  const running = { job: 0, slow: 0 };
  const run = (type: 'job' | 'slow') => async (input: Input) => {
    running[type]++;
    await clock.sleep(input.ms);
    running[type]--;
    return 1;
  };
  const worker = await client.work(
    defineWorker({
      concurrency,
      handlers: [handle(job, run('job')), handle(slow, run('slow'), { concurrency: slowMost })],
    }),
  );
  const pending = new Set<Promise<unknown>>();
  const submit = (type: 'job' | 'slow', count: number, input: Input): void => {
    const submitted = submitter
      .submitMany(
        type === 'job' ? job : slow,
        Array.from({ length: count }, () => ({ input })),
      )
      .catch(() => {})
      .finally(() => pending.delete(submitted));
    pending.add(submitted);
  };
  const ref = { tenant: 'default', queue: 'default' };
  const setPaused = (paused: boolean): void => {
    void node.service.updateQueue(ref, { paused }, 'test').catch(() => {});
  };
  /** Compares the counts once nothing is on its way, unless the worker is too busy for that. */
  async function compare(): Promise<void> {
    const unmended = link.mend();
    heldUntilMs = 0;
    for (let i = 0; i < 3_000; i++) {
      await clock.advance(1);
      if (!link.isQuiet || writing > 0) continue;
      expectAgreement();
      break;
    }
    unmended();
  }
  const take: { readonly [K in Step['do']]: (one: Extract<Step, { do: K }>) => Promise<void> | void } = {
    submit: ({ type, count, ms, kb }) => submit(type, count, { x: 'x'.repeat(kb * 1_000), ms }),
    wait: ({ ms }) => clock.advance(ms),
    delay: (one) => {
      link.delayMs[one.stream][one.direction] = one.ms;
    },
    narrow: ({ ms }) => {
      link.delayOfKibMs = ms;
    },
    cut: (one) => link.cut(one.stream, one),
    async loseAnswers({ ms, serverIsLate }) {
      link.losesAnswers = true;
      await clock.advance(ms);
      link.cut('report', { serverIsLate });
      link.losesAnswers = false;
    },
    holdStore: ({ ms }) => {
      heldUntilMs = clock.monotonic() + ms;
    },
    failStore: ({ ms }) => {
      failsUntilMs = clock.monotonic() + ms;
    },
    /** Lets tasks become ready together, so that the server assigns many of them at once. */
    async burst({ count, kb }) {
      setPaused(true);
      submit('job', count, { x: 'x'.repeat(kb * 1_000), ms: 5 });
      await clock.advance(20);
      setPaused(false);
    },
    compare,
  };
  submit('job', 1, { x: '', ms: 0 });
  await clock.advance(2_000);
  for (const one of all) await (take[one.do] as (one: Step) => Promise<void> | void)(one);

  link.mend();
  setPaused(false);
  const unfinished = async (): Promise<number> => {
    const { counts: now = { scheduled: 0, ready: 0, running: 0 } } = await node.service.queue(ref);
    return now.scheduled + now.ready + now.running;
  };
  for (let i = 0; i < 2_000 && (pending.size > 0 || (await unfinished()) > 0); i++)
    await clock.advance(5_000);
  expect(await unfinished()).toBe(0);
  submit('job', 1, { x: '', ms: 0 });
  await clock.advance(10_000);
  expectAgreement();
  expect(counts.sessions.at(-1)?.tasks).toBeGreaterThanOrEqual(concurrency);

  submit('slow', slowMost + 3, { x: '', ms: 60_000 });
  await clock.advance(3_000);
  expect(running.slow).toBe(Math.min(concurrency, slowMost));
  submit('job', 2 * concurrency + 250, { x: '', ms: 60_000 });
  await clock.advance(10_000);
  expect(running.job + running.slow).toBe(concurrency);
  const { workers } = await node.service.workers('default', undefined);
  const held = workers.reduce((sum, { inFlight }) => sum + inFlight, 0);
  expect(held).toBeLessThanOrEqual(concurrency + Math.max(1, concurrency / 4));

  const ends = [worker.drain({ timeout: 0 }), client.close(), submitter.close(), node.close(0)];
  for (let i = 0; i < 40; i++) await clock.advance(1_000);
  await Promise.all(ends);
}

it('a worker and its server count the same credit after delays, cuts, lost answers and failures of the store', async () => {
  await fc.assert(fc.asyncProperty(fc.constantFrom(1, 5, 25, 60), steps, holds), {
    numRuns: Number(process.env.CREDIT_RUNS ?? 25),
    examples: [
      [60, helloAmidPieces(3_500, 100, false)],
      [1, lateBatch(10)],
    ],
  });
}, 170_000);
