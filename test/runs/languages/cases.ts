/** The cases: each is a promise of the API that a client without the SDK has to use rightly. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { timing } from '../../../src/core/limits.ts';
import { type Client, defineTask, typed } from '../../../src/index.ts';
import type { CuttingLink, LineProcess } from './processes.ts';

export interface Parts {
  readonly client: Client;
  readonly worker: LineProcess;
  readonly link: CuttingLink;
  /** Runs the submitter of the language, to its end. */
  submit(...args: readonly string[]): LineProcess;
  /** The text of `holdfast workers --json`. */
  workers(): string;
}

const greet = defineTask('greet', { input: typed<{ name: string }>(), output: typed<string>() });
const nap = defineTask('nap', { input: typed<{ seconds: number }>() });
const shaky = defineTask('shaky', { input: typed<{ id: string }>() });

/** The time in s after which a lease without heartbeats is over and the next attempt begins. */
const longerThanALease = timing.leaseMs / 1_000 + 5;

export const cases: Readonly<Record<string, (parts: Parts) => Promise<void>>> = {
  async 'a submitted task is run by the worker, and the submitter reads its result'({ submit }) {
    const submitter = submit('greet', '{"name":"Ada"}', 'greet/Ada');
    await submitter.until(/^accepted \S+ first$/);
    await submitter.until(/^TASK_STATE_SUCCEEDED "Hello Ada"$/);
  },

  async 'a repeated submission with its key is answered by the first task'({ submit, client }) {
    const submitter = submit('greet', '{"name":"Ada"}', 'greet/Ada');
    const [, id] = await submitter.until(/^accepted (\S+) again$/);
    assert.equal((await client.getByKey('greet/Ada')).id, id);
  },

  async 'an attempt that fails is tried again, with the error in its history'({ client }) {
    const task = await client.submit(shaky, { id: 'one' });
    assert.match(String(await task.result({ timeout: '30s' })), /^\d{4}$/);
    assert.equal((await task.status()).attempt, 2);
    const events = await Array.fromAsync(task.events());
    assert.match(JSON.stringify(events), /fails the first time/);
  },

  async 'a lease is kept by heartbeats for as long as the handler runs'({ client }) {
    const task = await client.submit(nap, { seconds: longerThanALease });
    assert.equal(await task.result({ timeout: '2m' }), 'slept');
    assert.equal((await task.status()).attempt, 1);
  },

  async 'a running handler is stopped when its task is cancelled'({ client, worker }) {
    const task = await client.submit(nap, { seconds: 600 });
    await worker.until(new RegExp(`^runs ${task.id.replaceAll('.', '\\.')} attempt 1$`));
    await task.cancel();
    await worker.until(/^stopped$/);
    await assert.rejects(task.result({ timeout: '30s' }));
    assert.equal((await task.status()).state, 'cancelled');
  },

  async 'a claim whose answer was lost is repeated by its request id and gets the same task'({
    client,
    worker,
    link,
  }) {
    await new Promise((done) => setTimeout(done, 1_500));
    link.loseNext();
    const task = await client.submit(greet, { name: 'Eve' });
    assert.equal(await task.result({ timeout: '30s' }), 'Hello Eve');
    assert.equal(link.lost(), 1);
    await worker.until(new RegExp(`^runs ${task.id.replaceAll('.', '\\.')} attempt 1$`));
    assert.equal((await task.status()).attempt, 1);
  },

  async 'the list of workers shows it with its queues and types'({ workers }) {
    const listed = workers();
    for (const name of ['"python"', '"greet"', '"nap"', '"shaky"']) assert.ok(listed.includes(name), listed);
  },
};

/** Returns the text that a command of Holdfast prints. */
export function holdfast(main: string, ...args: readonly string[]): string {
  return execFileSync(process.execPath, [main, ...args], { encoding: 'utf8' });
}
