/**
 * A submitter, a worker and a reader with different contracts of one task type, as separate clients over mutual TLS.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { type Client, defineTask, defineWorker, handle, type TaskType, typed } from '../../src/index.ts';
import { type Server, Site } from './bad-input-server.ts';
import { acceptNotes, expectEndOnce } from './tasks.ts';

let site: Site;
let server: Server;
let submitter: Client;
let before: string[];
beforeAll(async () => {
  site = await Site.make();
  server = await site.serve();
  submitter = server.client();
  before = await acceptNotes(submitter, 20);
});
afterAll(() => site[Symbol.asyncDispose]());

const queue = 'contracts';
const once = { maxAttempts: 1 };

/** Starts a worker with one handler and its own connection. */
async function worker<T extends TaskType>(task: T, run: (input: never) => unknown = () => {}) {
  const client = server.client();
  await client.work(defineWorker({ handlers: [handle(task as never, run as never)] }));
  return { [Symbol.asyncDispose]: () => client.close() };
}

describe('a worker with an older contract', () => {
  it('never receives a task of a newer version, which waits for a worker that handles it', async () => {
    const at = (version: number) => defineTask('versions', { input: typed<string>(), queue, version });
    const runs: string[] = [];
    const run = (by: string) => (input: string) => void runs.push(`${input} by ${by}`);
    await using _old = await worker(at(1), run('old'));
    const newer = await submitter.submit(at(2), 'second');
    const older = await submitter.submit(at(1), 'first');
    await older.result({ timeout: '10s' });
    expect(await newer.status()).toMatchObject({ state: 'ready', attempt: 0 });
    await using _new = await worker(at(2), run('new'));
    await newer.result({ timeout: '10s' });
    expect(runs).toEqual(['first by old', 'second by new']);
  });
});

describe('a worker with another contract of the same version', () => {
  it('fails the task at once with CONTRACT_MISMATCH, and a fixed worker runs it after a retry', async () => {
    const sent = defineTask('shapes', { input: typed<{ cents: string }>(), queue });
    const known = defineTask('shapes', { input: z.object({ cents: z.number() }), queue });
    const task = await submitter.submit(sent, { cents: 'many' });
    {
      await using _ = await worker(known);
      await expect(task.result({ timeout: '10s' })).rejects.toMatchObject({
        attempts: 1,
        message: expect.stringMatching(/CONTRACT_MISMATCH: .*'shapes'.*version 1.*cents/),
      });
    }
    expect(await task.status()).toMatchObject({ state: 'dead', deadReason: 'fatal' });
    expect(await server.cli(['redrive', task.id])).toMatchObject({ code: 0 });
    await using _ = await worker(sent);
    await task.result({ timeout: '10s' });
  });

  it('fails its attempts if it returns a result that its own contract does not allow', async () => {
    const output = z.object({ receipt: z.string() });
    const task = defineTask('results', { input: typed<null>(), output, queue, retry: once });
    await using _ = await worker(task, () => ({ receipt: 7 }));
    const submitted = await submitter.submit(task, null);
    await expect(submitted.result({ timeout: '10s' })).rejects.toMatchObject({
      attempts: 1,
      message: expect.stringContaining("returned what its contract's output does not allow: receipt"),
    });
  });

  it('fails its attempts if it returns a result that JSON cannot represent', async () => {
    const task = defineTask('unjson', { input: typed<null>(), output: typed<unknown>(), queue, retry: once });
    await using _ = await worker(task as never, () => ({ big: 10n }));
    const submitted = await submitter.submit(task as never, null as never);
    await expect(submitted.result({ timeout: '10s' })).rejects.toMatchObject({
      attempts: 1,
      message: expect.stringContaining("The value at 'big' is"),
    });
  });
});

describe('a reader with another contract', () => {
  it('receives CONTRACT_MISMATCH for the result, although the task has succeeded', async () => {
    const done = defineTask('reads', { input: typed<null>(), output: typed<{ n: string }>(), queue });
    const read = defineTask('reads', { input: typed<null>(), output: z.object({ n: z.number() }), queue });
    await using _ = await worker(done, () => ({ n: 'seven' }));
    const { id } = await submitter.submit(done, null);
    await expect(submitter.task(id, read).result({ timeout: '10s' })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      reason: 'CONTRACT_MISMATCH',
      taskId: id,
      violations: [{ field: 'n' }],
    });
    expect(await submitter.get(id)).toMatchObject({ state: 'succeeded', result: { n: 'seven' } });
  });
});

describe('a submitter', () => {
  it('sends nothing if the input does not fit its own contract', async () => {
    const task = defineTask('own', { input: z.object({ cents: z.number() }), queue: 'own' });
    await expect(submitter.submit(task, { cents: 'many' } as never)).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      reason: 'BAD_FIELD',
      violations: [{ field: 'cents' }],
    });
    expect((await submitter.list({ queue: 'own' })).tasks).toEqual([]);
  });
});

it('after workers and readers used contracts that do not match, every accepted task runs exactly once', async () => {
  await expectEndOnce(submitter, before);
});
