/**
 * Handlers that throw, return, log or report values that are hard to convert, in a worker process with a real server, and
 * in a process with an embedded store. Each value costs its own attempt at most.
 */
import { once } from 'node:events';
import pino from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { limits } from '../../src/core/limits.ts';
import { type Client, connect } from '../../src/index.ts';
import { envOf, Site } from './bad-input-server.ts';
import { spawnCommand } from './command.ts';
import { hostile, innocent, odd, type Way, worker } from './hostile-values.ts';

const ways: readonly Way[] = ['thrown', 'returned', 'logged', 'reported'];
const names = Object.keys(hostile);

/** Submits a task for each way to hand over the value, and an innocent one beside each. Returns how they ended. */
async function run(client: Client, value: string) {
  const ended = ways.map(async (way) => {
    const [task, beside] = await Promise.all([
      client.submit(odd, { value, way }),
      client.submit(innocent, null, { idempotencyKey: `${value}/${way}` }),
    ]);
    expect(await beside.result({ timeout: '20s' })).toBe('well');
    expect((await beside.status()).attempt).toBe(1);
    await task.result({ timeout: '20s' }).catch(() => {});
    const { state, attempt, lastError = '' } = await task.status();
    return { way, state, attempt, lastError };
  });
  return Promise.all(ended);
}

async function expectBoundedOutcomes(client: Client, value: string): Promise<void> {
  // The constructor of this value throws, so a handler that makes it has failed before it logs or reports anything.
  const made = /^a (Snooze|RetryAfter) for /.test(value) ? 'dead' : 'succeeded';
  const ended = await run(client, value);
  const states = Object.fromEntries(ended.map(({ way, state }) => [way, state]));
  expect(states).toEqual({
    thrown: 'dead',
    returned: hostile[value]?.returns,
    logged: made,
    reported: made,
  });
  for (const { state, attempt, lastError } of ended) {
    expect(attempt).toBe(1);
    expect(Buffer.byteLength(lastError)).toBeLessThanOrEqual(limits.messageBytes);
    expect(lastError.isWellFormed()).toBe(true);
    if (state === 'dead') expect(lastError).not.toBe('');
  }
}

describe('over gRPC, a handler that throws, returns, logs or reports a hostile value ends its own attempt alone', () => {
  let site: Site;
  let client: Client;
  let child: ReturnType<typeof spawnCommand>;
  let exit: number | null | undefined;
  beforeAll(async () => {
    site = await Site.make();
    const server = await site.serve();
    client = server.client();
    const module = new URL('./hostile-values.ts', import.meta.url).pathname;
    child = spawnCommand(['worker', module], {
      env: { ...envOf(server.address, site.clientFiles), HOLDFAST_LOG: 'debug' },
    });
    child.stderr?.resume();
    child.on('exit', (code) => (exit = code));
  });
  afterAll(async () => {
    if (exit === undefined) {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    await site[Symbol.asyncDispose]();
  });

  it.each(names)('(%s)', async (value) => {
    await expectBoundedOutcomes(client, value);
    expect(exit).toBe(undefined);
  });
});

describe('embedded, a handler that throws, returns, logs or reports a hostile value ends its own attempt alone', () => {
  let client: Client;
  beforeAll(async () => {
    client = connect('memory:', { log: pino({ level: 'debug' }, { write() {} }) });
    await client.work(worker);
  });
  afterAll(() => client.close());

  it.each(names)('(%s)', (value) => expectBoundedOutcomes(client, value));
});
