import { create, type DescField, type DescMessage, ScalarType } from '@bufbuild/protobuf';
import { expect, it } from 'vitest';
import {
  Begun,
  EventKind,
  RetryPolicySchema,
  SpecSchema,
  SubmitOptionsSchema,
  TaskEventSchema,
  TaskSchema,
} from '../../rpc/gen/holdfast/v1/task_pb.ts';
import { eventLine, taskJson, taskText } from './task-text.ts';

/** Returns a value for a protobuf field that differs from the field's default. */
function sampleOf(field: DescField): unknown {
  if (field.fieldKind === 'list') return ['x'];
  if (field.fieldKind === 'enum') return 2;
  if (field.fieldKind === 'message')
    return create(field.message, { bytes: new TextEncoder().encode('1') } as never);
  if (field.fieldKind === 'map') throw new Error('no field of a submission is a map');
  if (field.scalar === ScalarType.STRING) return 'x';
  return field.scalar === ScalarType.INT64 ? 7n : 7;
}

const fieldsOf = (desc: DescMessage): string[] => desc.fields.map(({ localName }) => localName);
const plain = (task: object): string =>
  JSON.stringify(taskJson(create(TaskSchema, task)), (_, value) =>
    typeof value === 'bigint' ? Number(value) : value,
  );

function expectPrinted(desc: DescMessage, name: string, within: (message: object) => object): void {
  const field = desc.fields.find(({ localName }) => localName === name) ?? expect.fail();
  const given = create(desc, { [name]: sampleOf(field) } as never);
  expect(plain(within(given))).not.toBe(plain(within(create(desc))));
}

it.each(fieldsOf(SubmitOptionsSchema))('holdfast show prints the field %s of the submit options', (name) => {
  expectPrinted(SubmitOptionsSchema, name, (options) => ({ options }));
});

it.each(fieldsOf(RetryPolicySchema))('holdfast show prints the field %s of the retry policy', (name) => {
  expectPrinted(RetryPolicySchema, name, (retry) => ({ options: { retry } }));
});

it.each(fieldsOf(SpecSchema))('holdfast show prints the field %s of the spec', (name) => {
  expectPrinted(SpecSchema, name, (spec) => ({ spec }));
});

it('holdfast show says of an expired lease that a worker was lost, and nothing of the kind of a claim', () => {
  const event = { begun: Begun.YES, countsAsLoss: true, attempt: 1, worker: 'w/1' };
  const lineOf = (kind: EventKind) => eventLine(create(TaskEventSchema, { ...event, kind }), 0);
  expect(lineOf(EventKind.LEASE_EXPIRED)).toContain('the worker was lost');
  expect(lineOf(EventKind.CLAIMED)).toMatch(/claimed +attempt 1, by w\/1$/);
});

it('holdfast show prints a deadline as a time and a lifetime as a duration', () => {
  const deadlineAtMs = BigInt(Date.UTC(2030, 0, 1));
  const retry = { maxAttempts: 3, baseMs: 1_000n, factor: 2, maxMs: 60_000n };
  const text = taskText(
    create(TaskSchema, { options: { deadlineAtMs, lifetimeMs: 86_400_000n, tags: ['eu', 'b'], retry } }),
  );
  expect(text).toMatch(/^deadline +2030-01-01T00:00:00.000Z$/m);
  expect(text).toMatch(/^lifetime +1 d$/m);
  expect(text).toMatch(/^tags +\["eu","b"\]$/m);
  expect(text).toMatch(/^retry +\{"maxAttempts":3,"baseMs":1000,"factor":2,"maxMs":60000\}$/m);
});
