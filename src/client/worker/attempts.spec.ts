import { expect, it } from 'vitest';
import { specOf } from '../../../test/fixtures/api-node.ts';
import type { Assignment } from '../../core/messages.ts';
import { noTracing } from '../../ports/tracing.ts';
import { virtualClock } from '../../testing/virtual-clock.ts';
import { handle } from '../contract/handler.ts';
import { defineTask, typed } from '../contract/task.ts';
import { silent } from '../log.ts';
import type { Attempt } from './attempt.ts';
import { Attempts } from './attempts.ts';
import type { BufferedAssignment } from './buffered-assignment.ts';
import { type AttemptOutcome, returned } from './outcome.ts';

const timeoutMs = 4_000;

/** Starts an attempt whose handler may be called only once the store has recorded the begin. */
function startRecorded(deadlineInMs = 0) {
  const clock = virtualClock();
  let calls = 0;
  const once = defineTask('once', { input: typed<object>(), retry: { maxAttempts: 1 } });
  const handler = handle(once, () => void calls++);
  const outcomes: (AttemptOutcome | undefined)[] = [];
  const attempts = new Attempts(clock, [handler], [], {
    clock,
    log: silent,
    tracing: noTracing,
    workerName: 'w',
    submit: () => Promise.reject(new Error('nothing is submitted')),
    progressed() {},
    due() {},
    ended: (_attempt, outcome) => void outcomes.push(outcome),
  });
  const assignment = {
    ...{ id: 'a', lease: new Uint8Array(1), spec: specOf('{}', 'once'), attempt: 1, maxAttempts: 1 },
    ...{ fencingToken: 1, key: 'a', queue: 'q', tenant: 'default', leaseMs: 30_000, timeoutMs, deadlineInMs },
    ...{ traceparent: '', parentId: '', tags: [], alone: false, losses: 0, recordsBegin: false },
  } satisfies Assignment;
  attempts.start(
    { assignment, handler, receivedAtMs: clock.monotonic() } as unknown as BufferedAssignment,
    true,
  );
  const attempt = attempts.get('a') as Attempt;
  return { clock, attempts, attempt, outcomes, calls: () => calls };
}

it('an attempt that waits for the record of its begin gives its task back when its timeout is over: nothing has failed', () => {
  const { attempts, attempt, outcomes } = startRecorded();
  attempts.expire(timeoutMs);
  expect([outcomes, attempt.over]).toEqual([[returned], true]);
});

it.each(['timeout', 'cancelled', 'deadline'] as const)(
  'an attempt that waits for the record of its begin gives its task back when it must stop: %s',
  (cause) => {
    const { attempts, attempt, outcomes, calls } = startRecorded();
    attempts.stop(attempt, cause);
    attempts.recorded(attempt);
    expect([outcomes, calls()]).toEqual([[returned], 0]);
  },
);

it('an attempt that waits for the record of its begin can be recalled by a pause; one that has begun goes on', async () => {
  const waiting = startRecorded();
  waiting.attempts.recall(waiting.attempt);
  waiting.attempts.recorded(waiting.attempt);
  expect([waiting.outcomes, waiting.calls()]).toEqual([[returned], 0]);
  const begun = startRecorded();
  begun.attempts.recorded(begun.attempt);
  begun.attempts.recall(begun.attempt);
  await begun.clock.settle();
  expect([begun.outcomes.map((outcome) => outcome?.outcome), begun.calls()]).toEqual([['succeeded'], 1]);
});

it('an attempt whose begin is recorded after the deadline of its task is not begun', async () => {
  const { clock, attempts, attempt, outcomes, calls } = startRecorded(1);
  await clock.advance(1);
  attempts.recorded(attempt);
  expect([outcomes, calls()]).toEqual([[returned], 0]);
});
