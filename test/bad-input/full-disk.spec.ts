/** A disk that fills under a real server: the system lets it write no longer files. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeSpec } from '../../src/core/codec/spec.ts';
import type { ItemError } from '../../src/core/messages.ts';
import { defineWorker, handle } from '../../src/index.ts';
import { item, payload } from '../fixtures/api-node.ts';
import { type Server, Site } from './bad-input-server.ts';
import type { Ended } from './command.ts';
import { acceptNotes, expectEndOnce, note } from './tasks.ts';

/** Just above the 64 MB that a server keeps free for the outcomes of work. */
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

/** Submits large tasks until one is refused: what was taken, and the refusals. */
async function fill(server: Server, key = 'large'): Promise<{ taken: string[]; refused: ItemError[] }> {
  const transport = server.transport();
  const taken: string[] = [];
  for (let n = 0; n < mostBatches; n++) {
    const items = Array.from({ length: batch }, (_, i) => item(`${key}/${n}/${i}`, { spec: large }));
    const { results } = await transport.submit({ tenant: '', queue: 'large', items }, {});
    for (const result of results) if (result.error === undefined) taken.push(result.id);
    const refused = results.flatMap((result) => result.error ?? []);
    if (refused.length > 0) return { taken, refused };
  }
  throw new Error('it was never full');
}

/** The server looks for room each second, and the limit of one file's length leaves it some: so it is filled again. */
async function whileFull(server: Server, args: readonly string[]): Promise<Ended> {
  for (let tries = 0; ; tries++) {
    await fill(server, `again/${tries}`);
    const ended = await server.cli(args);
    if (ended.code !== 0 || tries === mostTries) return ended;
  }
}

describe('a full disk', () => {
  it('refuses submissions with a reason, takes the outcome of what runs, and loses nothing', async () => {
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

    const { taken, refused } = await fill(limited);
    expect(taken.length).toBeGreaterThan(100);
    for (const error of refused) expect(error).toMatchObject(full);
    end.resolve();
    await draining;
    expect(await client.get(id)).toMatchObject({ state: 'succeeded' });
    expect(await whileFull(limited, ['submit', 'note', '{}'])).toMatchObject({
      code: 5,
      error: { code: full.code, reason: full.reason, help: expect.stringContaining('Free space') },
    });
    await limited.end('SIGKILL');

    const roomy = await site.serve();
    for (const one of taken) expect((await roomy.client().get(one)).state).toBe('ready');
    await expectEndOnce(roomy.client(), before);
  });
});
