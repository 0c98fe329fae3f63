import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it, onTestFinished } from 'vitest';
import { resolveTarget } from '../../src/client/connect.ts';
import { connect, defineTask, defineWorker, HoldfastError, handle, typed } from '../../src/index.ts';

const greet = defineTask('greet', { input: typed<{ name: string }>(), output: typed<string>() });
const worker = defineWorker({ handlers: [handle(greet, ({ name }) => `hello ${name}`)] });
const index = new URL('../../src/index.ts', import.meta.url).pathname;

function folder(): string {
  const dir = mkdtempSync(join(tmpdir(), 'holdfast-connect-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

function where(dir: string, env: Record<string, string> = {}) {
  return { env, cwd: () => dir };
}

function errorOf(run: () => unknown): HoldfastError {
  try {
    run();
  } catch (thrown) {
    if (thrown instanceof HoldfastError) return thrown;
    throw thrown;
  }
  throw new Error('nothing was thrown');
}

function profileIn(dir: string, content: unknown): void {
  mkdirSync(join(dir, '.holdfast'));
  writeFileSync(join(dir, '.holdfast', 'profile.json'), JSON.stringify(content));
}

const profile = { url: 'holdfast://127.0.0.1:7433', ca: 'ca.pem', cert: 'client.pem', key: 'client.key' };

describe('connect()', () => {
  it('without any configuration fails with an error that shows how to start a server or to set HOLDFAST_URL', () => {
    const error = errorOf(() => resolveTarget(where(folder()), undefined));
    expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', reason: 'BAD_CONFIGURATION' });
    expect(error.message).toBe('No Holdfast server is configured.');
    expect(error.help).toContain('npx holdfast dev');
    expect(error.help).toContain('export HOLDFAST_URL=');
  });

  it('uses no TLS for a holdfast+plaintext URL, even if certificates are configured', () => {
    const dir = folder();
    profileIn(dir, profile);
    const env = { HOLDFAST_URL: 'holdfast+plaintext://127.0.0.1:7433/' };
    const plain = { kind: 'server', address: '127.0.0.1:7433', tls: undefined };
    expect(resolveTarget(where(dir, env), undefined)).toEqual(plain);
    expect(resolveTarget(where(dir), env.HOLDFAST_URL)).toEqual(plain);
  });

  it('finds the profile that holdfast dev wrote, from a folder below its own', () => {
    const dir = folder();
    profileIn(dir, profile);
    const below = join(dir, 'a', 'b');
    mkdirSync(below, { recursive: true });
    expect(resolveTarget(where(below), undefined)).toEqual({
      kind: 'server',
      address: '127.0.0.1:7433',
      tls: {
        ca: join(dir, '.holdfast/ca.pem'),
        cert: join(dir, '.holdfast/client.pem'),
        key: join(dir, '.holdfast/client.key'),
      },
    });
  });

  it('prefers its URL argument to HOLDFAST_URL, and HOLDFAST_URL to the profile', () => {
    const dir = folder();
    profileIn(dir, profile);
    const env = { HOLDFAST_URL: 'holdfast://env:1' };
    expect(resolveTarget(where(dir, env), undefined)).toMatchObject({ address: 'env:1' });
    expect(resolveTarget(where(dir, env), 'holdfast://argument:2')).toMatchObject({ address: 'argument:2' });
    expect(resolveTarget(where(dir, env), 'memory:')).toEqual({ kind: 'embedded', url: 'memory:' });
  });

  it('takes certificates from its options, otherwise from the environment, which must name all three files', () => {
    const tls = { ca: 'a', cert: 'b', key: 'c' };
    const env = { HOLDFAST_CA: '1', HOLDFAST_CERT: '2', HOLDFAST_KEY: '3' };
    const url = 'holdfast://host:1';
    expect(resolveTarget(where('/', env), url, { tls })).toMatchObject({ tls });
    expect(resolveTarget(where('/', env), url)).toMatchObject({ tls: { ca: '1', cert: '2', key: '3' } });
    expect(errorOf(() => resolveTarget(where('/', { HOLDFAST_CA: '1' }), url)).message).toMatch(/together/);
    expect(errorOf(() => resolveTarget(where('/'), url)).message).toMatch(/certificates/);
    expect(resolveTarget(where('/'), url, { plaintext: true })).toMatchObject({ tls: undefined });
  });

  it.each(['http://localhost:7433', 'localhost', 'file'])(
    'refuses the URL %s with an error that names the right form',
    (url) => {
      expect(errorOf(() => resolveTarget(where('/'), url)).help).toContain('holdfast://host:port');
    },
  );

  it('refuses an incomplete profile with an error that names its path', () => {
    const dir = folder();
    profileIn(dir, { url: 'holdfast://127.0.0.1:7433' });
    expect(errorOf(() => resolveTarget(where(dir), undefined)).message).toContain(
      join(dir, '.holdfast/profile.json'),
    );
  });
});

describe('an embedded Holdfast', () => {
  it.each(['memory:', 'file:'])('runs and deduplicates tasks with the URL %s', async (kind) => {
    const url = kind === 'file:' ? `file:${join(folder(), 'queue.db')}` : kind;
    await using holdfast = connect(url);
    await using _running = await holdfast.work(worker);
    const task = await holdfast.submit(greet, { name: 'Ada' }, { idempotencyKey: 'ada' });
    expect(await task.result({ timeout: '5s' })).toBe('hello Ada');
    const again = await holdfast.submit(greet, { name: 'Ada' }, { idempotencyKey: 'ada' });
    expect(again).toMatchObject({ id: task.id, deduplicated: true, state: 'succeeded' });
  });

  it('in one file is shared by all clients of a process and keeps its tasks after the clients are closed', async () => {
    const url = `file:${join(folder(), 'queue.db')}`;
    const one = connect(url);
    const two = connect(url);
    const { id } = await one.submit(greet, { name: 'Ada' });
    expect((await two.get(id)).state).toBe('ready');
    await one.close();
    expect((await two.get(id)).state).toBe('ready');
    await two.close();
    await using three = connect(url);
    expect((await three.get(id)).state).toBe('ready');
  });

  it('in memory is separate for each client', async () => {
    await using one = connect('memory:');
    await using two = connect('memory:');
    const { id } = await one.submit(greet, { name: 'Ada' });
    await expect(two.get(id)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('that cannot be opened rejects the first call, not connect()', async () => {
    const client = connect(`file:${join(folder(), 'missing', 'queue.db')}`, { retryFor: 0 });
    await expect(client.submit(greet, { name: 'Ada' })).rejects.toBeInstanceOf(HoldfastError);
    await client.close();
  });
});

describe('a script', () => {
  const run = promisify(execFile);
  async function script(body: string): Promise<string> {
    const source = `
      import { connect, defineTask, defineWorker, handle, typed } from ${JSON.stringify(index)};
      const greet = defineTask('greet', { input: typed(), output: typed() });
      const worker = defineWorker({ handlers: [handle(greet, ({ name }) => 'hello ' + name)] });
      ${body}`;
    const { stdout } = await run(process.execPath, ['--input-type=module', '-e', source], {
      timeout: 10_000,
    });
    return stdout.trim();
  }

  it('stays alive while it waits for a result, and exits without closing its client', async () => {
    const output = await script(`
      const holdfast = connect('memory:');
      const running = await holdfast.work(worker);
      const task = await holdfast.submit(greet, { name: 'Ada' }, { delay: '300ms' });
      console.log(await task.result());
      await running.drain();`);
    expect(output).toBe('hello Ada');
  });

  it('exits after it has submitted a task and closed its client', async () => {
    const output = await script(`
      { await using holdfast = connect('memory:'); console.log((await holdfast.submit(greet, {})).state); }`);
    expect(output).toBe('ready');
  });
});

it('all spellings of a file name one store: a relative path, an absolute one and one through a link', async () => {
  const dir = folder();
  symlinkSync(dir, `${dir}-link`);
  onTestFinished(() => rmSync(`${dir}-link`, { force: true }));
  const spellings = [
    `file:${join(dir, 'queue.db')}`,
    `file://${join(dir, 'queue.db')}`,
    `file:${dir}/./below/../queue.db`,
    `file:${relative(process.cwd(), join(dir, 'queue.db'))}`,
    `file:${join(`${dir}-link`, 'queue.db')}`,
  ];
  const clients = spellings.map((url) => connect(url));
  const [first] = clients;
  const task = await first?.submit(greet, { name: 'ada' });
  for (const client of clients) expect(await client.get(task?.id ?? '')).toMatchObject({ state: 'ready' });
  await Promise.all(clients.map((client) => client.close()));
});
