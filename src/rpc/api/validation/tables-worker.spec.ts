import { describe, expect, it } from 'vitest';
import { payload } from '../../../../test/fixtures/api-node.ts';
import { day, nowMs, violationLines } from '../../../../test/fixtures/validation-errors.ts';
import { encodePayload } from '../../../core/codec/payload.ts';
import { limits } from '../../../core/limits.ts';
import type { HeartbeatItem, Settlement } from '../../../core/messages.ts';
import { credit, heartbeatItem, hello, settlement } from './tables.ts';
import { validateItem } from './validate.ts';

describe('a settlement', () => {
  const good: Settlement = {
    lease: Uint8Array.of(1),
    outcome: 'failed',
    result: undefined,
    message: 'x'.repeat(limits.messageBytes * 2),
    errorType: '',
    afterMs: undefined,
    begun: false,
  };
  const violations = (more: Partial<Settlement>) =>
    violationLines(validateItem(settlement, { ...good, ...more }, '', nowMs));

  it('with a long error message is valid: the error message is shortened later', () => {
    expect(violations({})).toEqual([]);
  });

  it.each<[string, Partial<Settlement>, string]>([
    ['without a lease', { lease: new Uint8Array() }, 'lease: is missing'],
    [
      'with a lease of 2,049 bytes',
      { lease: new Uint8Array(2_049) },
      'lease: has 2,049 bytes; at most 2,048',
    ],
    [
      'with an unknown outcome',
      { outcome: '9' as never },
      'outcome: is 9; one of succeeded, failed, fatal, snoozed, released, cancelled, lost',
    ],
    [
      'that snoozes without a duration',
      { outcome: 'snoozed' },
      'afterMs: is missing; a snooze needs a duration',
    ],
    [
      'that snoozes for more than 365 d',
      { outcome: 'snoozed', afterMs: 366 * day },
      'afterMs: is 31622400000 ms; a whole number of ms from 1 ms to 365 d',
    ],
    [
      'with a backoff of more than 30 d',
      { afterMs: 31 * day },
      'afterMs: is 2678400000 ms; a whole number of ms from 0 ms to 30 d',
    ],
    [
      'with a result of more than 256 KiB',
      { outcome: 'succeeded', result: encodePayload(payload('x'.repeat(limits.resultBytes + 1), 'a/b')) },
      'result.bytes: has 262,145 bytes; at most 262,144',
    ],
    [
      'with a result that is not JSON',
      { outcome: 'succeeded', result: encodePayload(payload('no')) },
      `result.bytes: is not valid JSON: Unexpected token 'o', "no" is not valid JSON`,
    ],
  ])('%s is refused', (_what, more, violation) => {
    expect(violations(more)).toEqual([violation]);
  });
});

describe('a heartbeat', () => {
  it.each<[string, HeartbeatItem['progress']]>([
    ['above 1', { fraction: 1.1, note: '' }],
    ['that is NaN', { fraction: Number.NaN, note: '' }],
    ['with a note of 257 characters', { fraction: 1, note: 'n'.repeat(257) }],
  ])('with progress %s is not refused, because it renews a lease', (_what, progress) => {
    expect(validateItem(heartbeatItem, { lease: Uint8Array.of(1), begun: true, progress }, '', nowMs)).toBe(
      undefined,
    );
  });

  it('without a lease is refused', () => {
    const item = { lease: new Uint8Array(), begun: true, progress: undefined };
    expect(violationLines(validateItem(heartbeatItem, item, '', nowMs))).toEqual(['lease: is missing']);
  });
});

describe('a worker’s hello message', () => {
  type Hello = Parameters<typeof hello>[0];
  const good: Hello = {
    kind: 'hello',
    tenant: '',
    workerName: 'w',
    workerId: 'id',
    queues: ['q'],
    types: [{ type: 't', maxVersion: 1 }],
    tasks: 1,
    bytes: 1,
    reportsBegun: true,
  };

  it.each<[string, Partial<Hello>, string]>([
    ['without a worker name', { workerName: '' }, 'workerName: is missing'],
    [
      'with a worker id of 65 characters',
      { workerId: 'i'.repeat(65) },
      'workerId: has 65 characters; at most 64',
    ],
    ['for no queue', { queues: [] }, 'queues: has 0 queues; at least 1'],
    ['for 65 queues', { queues: Array(65).fill('q') }, 'queues: has 65 queues; at most 64'],
    [
      'for a queue with an invalid name',
      { queues: ['q', 'a/b'] },
      'queues[1]: may hold only A-Z, a-z, 0-9, dot, underscore and hyphen',
    ],
    [
      'for a tenant with an invalid name',
      { tenant: 'ü' },
      'tenant: may hold only A-Z, a-z, 0-9, dot, underscore and hyphen',
    ],
    [
      'for 257 task types',
      { types: Array(257).fill({ type: 't', maxVersion: 1 }) },
      'types: has 257 types; at most 256',
    ],
    ['for a task type without a name', { types: [{ type: '', maxVersion: 1 }] }, 'types[0].type: is missing'],
    [
      'with too many credits for a task type',
      { types: [{ type: 't', maxVersion: 1, tasks: 4_097 }] },
      'types[0].tasks: is 4097; a whole number from 0 to 4,096 tasks',
    ],
    ['with too many credits', { tasks: 4_097 }, 'tasks: is 4097; a whole number from 0 to 4,096 tasks'],
    ['with negative credits', { bytes: -1 }, 'bytes: is -1; a whole number from 0 to 4,294,967,295 bytes'],
  ])('%s is refused', (_what, more, violation) => {
    expect(violationLines(validateItem(hello, { ...good, ...more }, '', nowMs))).toEqual([violation]);
  });

  it('has the same limits of credits as a later credit message', () => {
    expect(
      violationLines(validateItem(credit, { kind: 'credit', tasks: 4_097, bytes: 0, types: [] }, '', nowMs)),
    ).toHaveLength(1);
  });

  it('has the same limits of credits for single task types as a later credit message', () => {
    const types = [{ type: '', tasks: 4_097 }];
    expect(
      violationLines(validateItem(credit, { kind: 'credit', tasks: 0, bytes: 0, types }, '', nowMs)),
    ).toEqual(['types[0].type: is missing', 'types[0].tasks: is 4097; a whole number from 0 to 4,096 tasks']);
    const many = Array(257).fill({ type: 't', tasks: 1 });
    expect(
      violationLines(validateItem(credit, { kind: 'credit', tasks: 0, bytes: 0, types: many }, '', nowMs)),
    ).toEqual(['types: has 257 types; at most 256']);
  });
});
