import { create } from '@bufbuild/protobuf';
import { expect, it } from 'vitest';
import { EventKind, TaskEventSchema } from '../../rpc/gen/holdfast/v1/task_pb.ts';
import { attemptsOf } from './attempts.ts';

const event = (kind: EventKind, atMs: number, more: object = {}) =>
  create(TaskEventSchema, { kind, atMs: BigInt(atMs), ...more });

it('each claim is one attempt until the next event that ends it, and the last one lasts until now', () => {
  const claim = (atMs: number, attempt: number) => event(EventKind.CLAIMED, atMs, { attempt, worker: 'w/1' });
  const events = [
    event(EventKind.SUBMITTED, 0),
    claim(100, 1),
    event(EventKind.CANCEL_REQUESTED, 150),
    event(EventKind.FAILED, 300, { errorType: 'TypeError', message: 'no host' }),
    claim(400, 2),
    event(EventKind.LEASE_EXPIRED, 900),
    claim(1_000, 2),
  ];
  expect(attemptsOf(events, 1_250)).toMatchObject([
    {
      attempt: 1,
      worker: 'w/1',
      claimedAtMs: 100,
      durationMs: 200,
      outcome: 'failed',
      error: 'TypeError: no host',
    },
    { attempt: 2, durationMs: 500, outcome: 'leaseExpired', error: '' },
    { attempt: 2, claimedAtMs: 1_000, durationMs: 250, outcome: 'running', error: '' },
  ]);
});
