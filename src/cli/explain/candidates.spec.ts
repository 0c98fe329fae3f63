import { create } from '@bufbuild/protobuf';
import { expect, it } from 'vitest';
import type { Transport } from '../../client/transport.ts';
import { TaskSchema } from '../../rpc/gen/holdfast/v1/task_pb.ts';
import { candidateNotes, candidatesText, verdictsOf } from './candidates.ts';

it('verdicts are read five at a time, and stand in the order of their tasks', async () => {
  let running = 0;
  let most = 0;
  const call = async () => {
    most = Math.max(most, ++running);
    await new Promise((resolve) => setImmediate(resolve));
    running--;
    return { verdict: { code: 1, sentence: 'It waits.' } };
  };
  const transport = { call } as unknown as Transport;
  const tasks = Array.from({ length: 12 }, (_, i) => create(TaskSchema, { id: `t-${i}` }));
  const candidates = await verdictsOf(transport, { tasks, count: 12, isCut: false }, '');
  expect(most).toBe(5);
  expect(candidates.map(({ task }) => task.id)).toEqual(tasks.map(({ id }) => id));
});

it('a sentence that is too long for the table ends with a mark of the cut, not with a part of a number', () => {
  const sentence = `Worker ${'w'.repeat(78)} has run its attempt 1 for 25.5 s.`;
  const text = candidatesText([{ task: create(TaskSchema, { id: 't' }), code: 'RUNNING', sentence }]);
  expect(text).toContain(`  ${sentence.slice(0, 99)}…`);
  const short = candidatesText([
    { task: create(TaskSchema, { id: 't' }), code: 'RUNNING', sentence: 'It runs.' },
  ]);
  expect(short).toMatch(/ It runs\.$/);
});

it('the note after the candidates names the tenant that the caller has named', () => {
  expect(candidateNotes({ tasks: [], count: 0, isCut: false }, 'acme')).toEqual([
    'One of them: holdfast why <id> --tenant acme',
  ]);
});
