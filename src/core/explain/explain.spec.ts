import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { lives, minuteMs, startMs, steps, TaskLife } from '../../../test/fixtures/task-life.ts';
import type { Submission } from '../submission/submission.ts';
import type { TaskEvent } from '../task/event.ts';
import { type ShownState, shownState } from '../task/head.ts';
import { explain } from './explain.ts';
import type { ExplainedTask, ExplainFacts, WorkerFact } from './facts.ts';
import { type VerdictCode, verdictCodes } from './verdict.ts';

const scope = { tenant: 'default', queue: 'mail', key: 'k' };
const able: WorkerFact = { worker: 'w/1', count: 1, types: [{ type: 'note', maxVersion: 2 }], hasRoom: true };

function taskOf(life: TaskLife, id = 'task-1', orderingKey?: string): ExplainedTask {
  const { options, acceptedAtMs, expiresAtMs } = life.facts;
  const [submitted] = life.events;
  if (submitted?.kind !== 'submitted') throw new Error('The first event of a task is its submission.');
  const submission: Submission = {
    scope,
    spec: new Uint8Array(),
    type: 'note',
    typeVersion: 2,
    orderingKey,
    options,
    traceparent: '',
    acceptedAtMs,
    expiresAtMs,
    submitted,
  };
  return { id, submission, head: life.head, tip: life.events.slice(1) };
}

function factsAt(nowMs: number, facts: Partial<ExplainFacts> = {}): ExplainFacts {
  return {
    nowMs,
    isQueuePaused: false,
    workers: [able],
    areWorkersComplete: true,
    laneFront: undefined,
    throttle: undefined,
    message: undefined,
    lastHeartbeatAtMs: undefined,
    begun: false,
    noExpiryBeforeMs: undefined,
    ...facts,
  };
}

/** Returns the verdict on a task at the time to which its life has come. */
function verdictOf(life: TaskLife, facts: Partial<ExplainFacts> = {}) {
  return explain(taskOf(life), factsAt(life.nowMs, facts));
}

function isRequest(event: TaskEvent): event is Extract<TaskEvent, { kind: 'cancelRequested' }> {
  return event.kind === 'cancelRequested';
}

function claimed(...args: ConstructorParameters<typeof TaskLife>): TaskLife {
  const life = new TaskLife(...args);
  life.claim();
  return life;
}

/** Returns a task that has lost as many workers. */
function afterLosses(losses: number): TaskLife {
  const life = new TaskLife({ maxLosses: 3 });
  for (let i = 0; i < losses; i++) {
    life.claim();
    life.later(32_000).expire();
  }
  return life;
}

const deadFront = (): ExplainedTask => {
  const life = claimed({}, { inLane: true, onDead: 'hold' });
  life.settle('fatal');
  return taskOf(life, 'front');
};
const waitingFront = (): ExplainedTask => taskOf(new TaskLife({}, { inLane: true }), 'front');
const inLane = () => new TaskLife({}, { inLane: true });

interface Case {
  readonly title: string;
  readonly code: VerdictCode;
  readonly life: () => TaskLife;
  readonly facts?: Partial<ExplainFacts> | undefined;
}

const cases: readonly Case[] = [
  { title: 'a task with a delay', code: 'NOT_DUE', life: () => new TaskLife({ delayMs: minuteMs }) },
  {
    title: 'a task of a paused queue',
    code: 'QUEUE_PAUSED',
    life: () => new TaskLife(),
    facts: { isQueuePaused: true, workers: [] },
  },
  {
    title: 'a task of a queue without workers',
    code: 'NO_WORKER',
    life: () => new TaskLife(),
    facts: { workers: [] },
  },
  {
    title: 'a task of a type that no worker handles',
    code: 'NO_WORKER_FOR_TYPE',
    life: () => new TaskLife(),
    facts: { workers: [{ ...able, types: [{ type: 'other', maxVersion: 9 }] }] },
  },
  {
    title: 'a task that is newer than its workers',
    code: 'NO_WORKER_FOR_VERSION',
    life: () => new TaskLife(),
    facts: { workers: [{ ...able, types: [{ type: 'note', maxVersion: 1 }] }] },
  },
  {
    title: 'a ready task whose workers are full',
    code: 'WORKERS_FULL',
    life: () => new TaskLife(),
    facts: { workers: [{ ...able, hasRoom: false }] },
  },
  {
    title: 'a ready task, if some workers may be unknown',
    code: 'STARTING',
    life: () => new TaskLife(),
    facts: { workers: [], areWorkersComplete: false },
  },
  { title: 'a ready task with a free worker', code: 'STARTING', life: () => new TaskLife() },
  {
    title: 'a task behind another of its lane',
    code: 'LANE_WAITS',
    life: inLane,
    facts: { laneFront: waitingFront() },
  },
  {
    title: 'a task behind a dead one that holds the lane',
    code: 'LANE_HELD_BY_DEAD',
    life: inLane,
    facts: { laneFront: deadFront() },
  },
  {
    title: 'the front task of a lane',
    code: 'STARTING',
    life: inLane,
    facts: { laneFront: taskOf(inLane()) },
  },
  {
    title: 'a ready task while the store throttles',
    code: 'STORE_THROTTLED',
    life: () => new TaskLife(),
    facts: { throttle: { dependency: 'DynamoDB', sinceMs: startMs, retryAtMs: startMs + 500 } },
  },
  {
    title: 'a ready task of a paused queue without workers, while the disk of the store is full',
    code: 'STORE_FULL',
    life: () => new TaskLife(),
    facts: { fullStore: { sinceMs: startMs, neededBytes: 1_048_576 }, isQueuePaused: true, workers: [] },
  },
  {
    title: 'a ready task without a message',
    code: 'MESSAGE_LOST',
    life: () => new TaskLife(),
    facts: { message: { isLost: true, resentAtMs: startMs + minuteMs } },
  },
  {
    title: 'a task that should have been made ready long ago',
    code: 'MESSAGE_LOST',
    life: () => new TaskLife({ delayMs: minuteMs }).later(minuteMs + 6_000),
  },
  {
    title: 'a task after a failed attempt',
    code: 'BACKOFF',
    life: () => {
      const life = claimed();
      life.settle('failed');
      return life;
    },
  },
  {
    title: 'a snoozed task',
    code: 'SNOOZED',
    life: () => {
      const life = claimed();
      life.settle('snoozed');
      return life;
    },
  },
  { title: 'a task whose handler runs', code: 'RUNNING', life: () => claimed() },
  {
    title: 'a task whose handler runs, as only this node knows',
    code: 'RUNNING',
    life: () => {
      const life = new TaskLife();
      life.claim(true, false);
      return life;
    },
    facts: { begun: true },
  },
  {
    title: 'a task whose worker has sent no heartbeat',
    code: 'RUNNING_SILENT',
    life: () => claimed().later(13_000),
  },
  {
    title: 'a task whose worker has sent a heartbeat to this node',
    code: 'RUNNING',
    life: () => claimed().later(13_000),
    facts: { lastHeartbeatAtMs: startMs + 10_000 },
  },
  { title: 'a task whose lease is over', code: 'LEASE_LOST', life: () => claimed().later(31_000) },
  {
    title: 'a task whose lease is over while a server has just started',
    code: 'SERVER_GRACE',
    life: () => claimed().later(31_000),
    facts: { noExpiryBeforeMs: startMs + 40_000 },
  },
  {
    title: 'a running task whose cancellation was requested',
    code: 'CANCEL_ASKED',
    life: () => {
      const life = claimed();
      life.cancel();
      return life;
    },
  },
  {
    title: 'a fetched task that has not begun',
    code: 'RESERVED',
    life: () => {
      const life = new TaskLife();
      life.claim(true, false);
      return life;
    },
  },
  {
    title: 'a fetched task whose worker has sent no heartbeat, since its thread is blocked',
    code: 'RUNNING_SILENT',
    life: () => {
      const life = new TaskLife();
      life.claim(true, false);
      return life.later(13_000);
    },
  },
  {
    title: 'a fetched task that has lost two workers',
    code: 'RUNS_ALONE',
    life: () => {
      const life = afterLosses(2);
      life.later(minuteMs).claim(true, false);
      return life;
    },
  },
  {
    title: 'a waiting task that has lost two workers',
    code: 'RUNS_ALONE',
    life: () => afterLosses(2).later(minuteMs),
  },
  {
    title: 'a task that has failed for the last time',
    code: 'DEAD_ATTEMPTS',
    life: () => {
      const life = claimed({ retry: { maxAttempts: 1 } });
      life.settle('failed');
      return life;
    },
  },
  {
    title: 'a task that has failed for good',
    code: 'DEAD_FATAL',
    life: () => {
      const life = claimed();
      life.settle('fatal');
      return life;
    },
  },
  {
    title: 'a task that has lost three workers',
    code: 'DEAD_WORKER_LOST',
    life: () => {
      const life = afterLosses(2);
      life.later(minuteMs).claim();
      life.later(32_000).expire();
      return life;
    },
  },
  {
    title: 'a cancelled task',
    code: 'CANCELLED',
    life: () => {
      const life = new TaskLife();
      life.cancel();
      return life;
    },
  },
  {
    title: 'a completed task',
    code: 'SUCCEEDED',
    life: () => {
      const life = claimed();
      life.settle('succeeded');
      return life;
    },
  },
  {
    title: 'a task whose deadline has passed',
    code: 'DEAD_DEADLINE',
    life: () => {
      const life = new TaskLife({ deadlineAtMs: startMs + 1 });
      life.later(2).do({ kind: 'lapse' });
      return life;
    },
  },
  {
    title: 'a task whose lifetime has ended',
    code: 'DEAD_LIFETIME',
    life: () => {
      const life = new TaskLife({ lifetimeMs: 1 });
      life.later(2).do({ kind: 'lapse' });
      return life;
    },
  },
];

/** The codes that `explain` gives no task that exists: they belong to tasks that are gone, and to repeated submissions. */
const ofOthers: readonly VerdictCode[] = ['GONE', 'DUPLICATE_OF'];

const allCodes = verdictCodes.flatMap((code) => code ?? []);

/** The codes that a task in each state may get, by the task's own fields and by what else is known. */
const codesOf: Readonly<Record<ShownState, readonly VerdictCode[]>> = {
  scheduled: ['NOT_DUE', 'BACKOFF', 'SNOOZED'],
  ready: [
    'QUEUE_PAUSED',
    'NO_WORKER',
    'NO_WORKER_FOR_TYPE',
    'NO_WORKER_FOR_VERSION',
    'WORKERS_FULL',
    'LANE_WAITS',
    'LANE_HELD_BY_DEAD',
    'STORE_THROTTLED',
    'STORE_FULL',
    'MESSAGE_LOST',
    'RUNS_ALONE',
    'STARTING',
  ],
  reserved: [
    'RESERVED',
    'RUNS_ALONE',
    'CANCEL_ASKED',
    'LEASE_LOST',
    'SERVER_GRACE',
    'RUNNING',
    'RUNNING_SILENT',
  ],
  running: ['RUNNING', 'RUNNING_SILENT', 'CANCEL_ASKED', 'LEASE_LOST', 'SERVER_GRACE'],
  dead: ['DEAD_ATTEMPTS', 'DEAD_FATAL', 'DEAD_DEADLINE', 'DEAD_LIFETIME', 'DEAD_WORKER_LOST'],
  cancelled: ['CANCELLED'],
  succeeded: ['SUCCEEDED'],
};

const maybe = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined });
const someFacts: fc.Arbitrary<Partial<ExplainFacts>> = fc.record({
  isQueuePaused: fc.boolean(),
  workers: fc.array(
    fc.record({
      worker: fc.constant('w/1'),
      count: fc.integer({ min: 1, max: 9 }),
      types: fc.array(
        fc.record({ type: fc.constantFrom('note', 'other'), maxVersion: fc.integer({ min: 1, max: 3 }) }),
      ),
      hasRoom: maybe(fc.boolean()),
    }),
    { maxLength: 3 },
  ),
  areWorkersComplete: fc.boolean(),
  laneFront: fc.constantFrom(undefined, deadFront(), waitingFront()),
  throttle: fc.constantFrom(undefined, { dependency: 'SQS', sinceMs: undefined, retryAtMs: undefined }),
  fullStore: maybe(fc.record({ sinceMs: fc.constant(startMs), neededBytes: fc.nat() })),
  message: maybe(fc.record({ isLost: fc.boolean(), resentAtMs: maybe(fc.constant(startMs + minuteMs)) })),
  lastHeartbeatAtMs: maybe(fc.constant(startMs)),
  begun: fc.boolean(),
  noExpiryBeforeMs: maybe(fc.constant(startMs + 15_000)),
});

describe('the verdict', () => {
  it.each(cases)('on $title is $code', ({ code, life, facts }) => {
    expect(verdictOf(life(), facts)).toMatchObject({ code });
  });

  it('on a task that was cancelled while a worker held it names the identity that requested it', () => {
    const life = claimed();
    life.cancel();
    life.later(minuteMs).expire();
    const { code, sentence, evidence } = verdictOf(life);
    expect([code, evidence]).toEqual(['CANCELLED', { actor: life.events.find(isRequest)?.actor }]);
    expect(sentence).toMatch(/^Actor '.+' cancelled it/);
  });

  it('on a late task of an embedded store names no command that an embedded store does not have', () => {
    const life = new TaskLife({ delayMs: 1_000 });
    const verdict = verdictOf(life.later(8_000), { message: { isLost: false, resentAtMs: undefined } });
    expect(verdict).toMatchObject({ code: 'MESSAGE_LOST', next: '' });
    expect(verdict.sentence).toBe('It has been due for 7 s, and the server has not made it ready yet.');
  });

  it('on a task with one attempt says that its only attempt failed', () => {
    const life = claimed({ retry: { maxAttempts: 1 } });
    life.settle('failed');
    expect(verdictOf(life).sentence).toMatch(/^Its only attempt failed\./);
  });

  it('on a cancelled task of a silent worker says that it ends with its lease, and not that the worker knows', () => {
    const life = claimed();
    life.cancel();
    expect(verdictOf(life).sentence).toMatch(/gets the request with its next heartbeat at the latest/);
    const { code, sentence, untilMs } = verdictOf(life.later(13_000));
    expect(code).toBe('CANCEL_ASKED');
    expect(sentence).toMatch(
      /has sent no heartbeat for 13 s\. Unless one comes, the task is cancelled in 17 s\.$/,
    );
    expect(untilMs).toBe(startMs + 30_000);
  });

  it('on a task without a worker for it says since when it is ready', () => {
    for (const workers of [[], [{ worker: 'w/1', count: 1, types: [], hasRoom: true }]]) {
      const verdict = verdictOf(new TaskLife(), { workers, areWorkersComplete: true });
      expect(verdict.code).toMatch(/^NO_WORKER/);
      expect(verdict.sinceMs).toBe(startMs);
    }
  });

  it('has an example for each code that a task can get', () => {
    const seen = new Set([...cases.map(({ code }) => code), ...ofOthers]);
    expect(allCodes.filter((code) => !seen.has(code))).toEqual([]);
  });

  it('on any task, whatever is known, is one code that fits its state, in one whole sentence', () => {
    fc.assert(
      fc.property(lives, steps, someFacts, (life, run, facts) => {
        for (const one of run) one(life);
        const { head } = life;
        const isWaiting = head.state === 'waiting';
        const isDue = isWaiting && (head.waitUntilMs ?? 0) <= life.nowMs;
        const verdict = verdictOf(life, facts);
        expect(codesOf[isDue ? 'ready' : shownState(head)]).toContain(verdict.code);
        expect(verdict.sentence).toMatch(/^[A-Z`].*[.!?]$/s);
        expect(verdict.sentence).not.toMatch(/undefined|NaN|Infinity|\s\s/);
        if (!isDue && isWaiting) expect(verdict.untilMs).toBe(head.waitUntilMs);
      }),
      { numRuns: 1_000 },
    );
  });
});
