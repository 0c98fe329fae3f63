/**
 * Servers that start on a disk without a free byte: on a real small disk where this process may mount one, and everywhere
 * under a limit of the operating system by which the server can make no file longer.
 */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { defineWorker, handle } from '../../src/index.ts';
import { Guard } from '../runs/chaos/guard.ts';
import { SmallDisk } from '../runs/chaos/small-disk.ts';
import { type Server, Site } from './bad-input-server.ts';
import { acceptNotes, expectEndOnce, note } from './tasks.ts';

/** Room for the store, for the 64 MB that a server keeps free, and for the 128 MB that it must find to accept tasks again. */
const diskMb = 256;

const guard = await Guard.start();
const folder = mkdtempSync(join(tmpdir(), 'holdfast-full-disk-'));
guard.send({ kind: 'folder', path: folder });
const disk = SmallDisk.mount(folder, guard, diskMb);

let site: Site;
beforeAll(async () => {
  site = await Site.make();
});
afterAll(async () => {
  await site[Symbol.asyncDispose]();
  await guard.close();
});

const full = { code: 'RESOURCE_EXHAUSTED', reason: 'STORE_FULL' };

async function expectRefused(server: Server): Promise<void> {
  expect(await server.cli(['submit', 'note', '{"n":0}'])).toMatchObject({ code: 5, error: full });
}

/** Submits until a server whose disk has room again has noticed it, which takes a second. */
async function expectAccepted(server: Server): Promise<void> {
  const submit = async (): Promise<number> => (await server.cli(['submit', 'other', 'null'])).code ?? -1;
  await expect.poll(submit, { timeout: 20_000 }).toBe(0);
}

for (const how of ['SIGTERM', 'SIGKILL'] as const)
  it(`a server that cannot make any file longer starts on the store of a server that ended by ${how}, serves reads and refuses submissions`, async () => {
    const store = join(site.dir, `limited-${how}.db`);
    const before = await site.serve({ store });
    const ids = await acceptNotes(before.client(), 3);
    await before.end(how);

    const limited = await site.serve({ store, fileKb: 0 });
    for (const id of ids) expect((await limited.client().get(id)).state).toBe('ready');
    await expectRefused(limited);
    await limited.end('SIGTERM');

    const after = await site.serve({ store });
    await expectAccepted(after);
    await expectEndOnce(after.client(), ids);
    await after.end('SIGTERM');
  });

it('a server does not begin a new store on a full disk, and its error names the store', async () => {
  const store = join(site.dir, 'new.db');
  expect(await site.serveExpectingFailure({ store, fileKb: 0 })).toMatchObject({
    code: 5,
    error: {
      ...full,
      message: `the disk of ${store} is full`,
      help: expect.stringContaining('then start again'),
    },
  });
});

if (typeof disk !== 'string')
  for (const how of ['SIGTERM', 'SIGKILL'] as const)
    it(`a server starts on a disk without a free byte after one that ended by ${how}, serves reads, stores the outcome of a running task, and accepts tasks once there is room`, async () => {
      const store = join(disk.path, `${how}.db`);
      const before = await site.serve({ store });
      const client = before.client();
      const [id = '', ...others] = await acceptNotes(client, 4, how);
      const begun = Promise.withResolvers<string>();
      const end = Promise.withResolvers<void>();
      const run = (_: unknown, context: { readonly id: string }) => {
        begun.resolve(context.id);
        return end.promise;
      };
      const worker = defineWorker({ concurrency: 1, handlers: [handle(note, run, { concurrency: 1 })] });
      await using running = await client.work(worker);
      using _ = { [Symbol.dispose]: () => end.resolve() };
      expect(await begun.promise).toBe(id);
      const draining = running.drain({ timeout: '60s' });
      await before.end(how);
      disk.fill();

      const onFull = await site.serve({ store, port: before.grpcPort });
      expect((await onFull.client().get(id)).state).toMatch(/^(reserved|running)$/);
      await expectRefused(onFull);
      end.resolve();
      await draining;
      expect((await onFull.client().get(id)).state).toBe('succeeded');
      await onFull.end('SIGKILL');
      disk.fill();

      const again = await site.serve({ store });
      expect((await again.client().get(id)).state).toBe('succeeded');
      await expectRefused(again);
      await again.end('SIGTERM');
      disk.fill();

      const last = await site.serve({ store });
      await expectRefused(last);
      disk.empty();
      await expectAccepted(last);
      await expectEndOnce(last.client(), others);
      await last.end('SIGTERM');
    });
