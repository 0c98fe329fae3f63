import { describe, expect, it } from 'vitest';
import { defineWorker, handle } from './handler.ts';
import { defineTask, typed } from './task.ts';

const input = typed<null>();
const noteHandler = handle(defineTask('note', { input }), () => {});

describe('a task type', () => {
  it('may have every option at its limit', () => {
    const retry = { maxAttempts: 1_000, backoff: { base: '30d', factor: 1, max: '30d' } } as const;
    const upgrade = { 1: (old: unknown) => old };
    const options = { input, queue: 'q'.repeat(64), version: 4_294_967_295, retry, timeout: '11h', upgrade };
    expect(() => defineTask('A-z.0_9', options as never)).not.toThrow();
  });

  it.each<[string, object, string]>([
    ['', {}, 'name: is missing'],
    ['n'.repeat(65), {}, 'name: has 65 characters; at most 64'],
    ['a b', {}, 'name: may hold only A-Z, a-z, 0-9, dot, underscore and hyphen'],
    ['a', { queue: ['q'] }, 'queue: is an array; give a string'],
    ['a', { version: 0 }, 'version: is 0; a whole number from 1 to 4,294,967,295'],
    ['a', { version: '1' }, 'version: is a string; give a number'],
    ['a', { retry: { maxAttempts: 1_001 } }, 'retry.maxAttempts: is 1001; a whole number from 1 to 1,000'],
    ['a', { maxLosses: 2 }, 'maxLosses: is 2; a whole number from 3 to 1,000'],
    ['a', { retry: { maxAttempts: '5' } }, 'retry.maxAttempts: is a string; give a number'],
    [
      'a',
      { retry: { backoff: { base: '31d' } } },
      'retry.backoff.base: is 2678400000 ms; a whole number of ms from 0 ms to 30 d',
    ],
    ['a', { retry: { backoff: { factor: 0.5 } } }, 'retry.backoff.factor: is 0.5; at least 1'],
    ['a', { timeout: 0 }, 'timeout: is 0 ms; a whole number of ms from 1 ms to 11 h'],
    ['a', { upgrade: { 1: () => 1 } }, 'upgrade.1: upgrades from version 1, but the task type has version 1'],
  ])("with the name '%s' and the options %j is refused: %s", (name, options, message) => {
    const define = () => defineTask(name, { input, ...options } as never);
    expect(define).toThrow(expect.objectContaining({ reason: 'BAD_FIELD', message }));
  });
});

describe('a worker', () => {
  it.each<[object, string]>([
    [{ handlers: [] }, 'handlers: has 0 handlers; at least 1'],
    [{ handlers: [noteHandler, noteHandler] }, "handlers: has two handlers for 'note'; a worker has one"],
    [{ queues: [] }, 'queues: has 0 queues; at least 1'],
    [{ queues: Array(65).fill('q') }, 'queues: has 65 queues; at most 64'],
    [{ queues: ['q', 'a b'] }, 'queues[1]: may hold only A-Z'],
    [{ concurrency: 4_001 }, 'concurrency: is 4001; a whole number from 1 to 4,000'],
    [{ name: '' }, 'name: is missing'],
    [{ name: 'n'.repeat(256) }, 'name: has 256 characters; at most 255'],
  ])('with the options %j is refused: %s', (options, message) => {
    const define = () => defineWorker({ handlers: [noteHandler], ...options } as never);
    const refusal = { reason: 'BAD_FIELD', message: expect.stringContaining(message) };
    expect(define).toThrow(expect.objectContaining(refusal));
  });

  it('may have a handler of any concurrency from 1', () => {
    const task = defineTask('any', { input });
    expect(() => handle(task, () => {}, { concurrency: 1_000_000 })).not.toThrow();
    expect(() => handle(task, () => {}, { concurrency: 0 })).toThrow('is 0; a whole number from 1');
    expect(() => handle(task, () => {}, { concurrency: 1.5 })).toThrow('is 1.5; a whole number from 1');
  });
});
