/** A full disk under a real server. The test limits the size of the files that the server process may write. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeSpec } from '../../src/core/codec/spec.ts';
import type { ItemError } from '../../src/core/messages.ts';
import { defineWorker, handle } from '../../src/index.ts';
import { item, payload } from '../fixtures/api-node.ts';
import { type Server, Site } from './bad-input-server.ts';
import type { CommandResult } from './command.ts';
import { acceptNotes, expectEndOnce, note } from './tasks.ts';

/**
 * The largest file, in KB, that the server process may write: just above the 64 MB that a server keeps free for the
 * outcomes of running tasks.
 */
const fileKb = 66_000;
const batch = 5;
const mostBatches = 200;
const mostTries = 10;
const full = { code: 'RESOURCE_EXHAUSTED', reason: 'STORE_FULL', retryAfterMs: 5_000 };

let site: Site;
beforeAll(async () => {
  site = await Site.make();
});
afterAll(() => site[Symbol.asyncDispose]());

const large = encodeSpec({
  type: 'large',
  typeVersion: 1,
  orderingKey: undefined,
  payload: payload('x'.repeat(200_000), 'text/plain'),
});

/**
 * Submits large tasks until one is refused. Returns the ids of the accepted tasks and the errors of the refused ones.
 */
async function fill(server: Server, key = 'large'): Promise<{ accepted: string[]; refused: ItemError[] }> {
  const transport = server.transport();
  const accepted: string[] = [];
  for (let n = 0; n < mostBatches; n++) {
    const items = Array.from({ length: batch }, (_, i) => item(`${key}/${n}/${i}`, { spec: large }));
    const { results } = await transport.submit({ tenant: '', queue: 'large', items }, {});
    for (const result of results) if (result.error === undefined) accepted.push(result.id);
    const refused = results.flatMap((result) => result.error ?? []);
    if (refused.length > 0) return { accepted, refused };
  }
  throw new Error('the store accepted all tasks and was never full');
}

/**
 * Runs a `holdfast` command while the store is full. Every second the server checks for free space, and it finds the
 * little space that the file size limit leaves. Therefore each try first fills the store again.
 */
async function whileFull(server: Server, args: readonly string[]): Promise<CommandResult> {
  for (let tries = 0; ; tries++) {
    await fill(server, `again/${tries}`);
    const ended = await server.cli(args);
    if (ended.code !== 0 || tries === mostTries) return ended;
  }
}

describe('a full disk', () => {
  it('makes the server refuse submissions, but it still stores outcomes and loses no task', async () => {
    const limited = await site.serve({ fileKb });
    const client = limited.client();
    const [id = '', ...before] = await acceptNotes(client, 20);
    const end = Promise.withResolvers<void>();
    const begun = Promise.withResolvers<string>();
    const run = (_: unknown, ctx: { readonly id: string }) => {
      begun.resolve(ctx.id);
      return end.promise;
    };
    await using running = await client.work(
      defineWorker({ concurrency: 1, handlers: [handle(note, run, { concurrency: 1 })] }),
    );
    expect(await begun.promise).toBe(id);
    const draining = running.drain({ timeout: '30s' });

    const { accepted, refused } = await fill(limited);
    expect(accepted.length).toBeGreaterThan(100);
    for (const error of refused) expect(error).toMatchObject(full);
    end.resolve();
    await draining;
    expect(await client.get(id)).toMatchObject({ state: 'succeeded' });
    expect(await whileFull(limited, ['submit', 'note', '{}'])).toMatchObject({
      code: 5,
      error: { code: full.code, reason: full.reason, help: expect.stringContaining('Free at least 128 MiB') },
    });
    await limited.end('SIGKILL');

    const roomy = await site.serve();
    for (const one of accepted) expect((await roomy.client().get(one)).state).toBe('ready');
    await expectEndOnce(roomy.client(), before);
  });
});
