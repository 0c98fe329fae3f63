/** Tests the verbs certs, serve and worker, which do separately what `dev` does at once. */
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { packageVersion } from '../../src/platform/version.ts';
import { contract, holdfast, project, type Started, start, within, worker } from './command-server.ts';

const files = (name: string): string[] => [
  '--ca',
  'c/ca.crt',
  '--cert',
  `c/${name}.crt`,
  '--key',
  `c/${name}.key`,
];

async function makeCertificates(cwd: string): Promise<void> {
  await within(cwd, 'certs', 'init', '--dir', 'c');
  await within(cwd, 'certs', 'issue', 'server', '--kind', 'server', '--dir', 'c');
  await within(cwd, 'certs', 'issue', 'ada', '--dir', 'c');
}

async function startServe(
  cwd: string,
  ...more: readonly string[]
): Promise<Started & { readonly grpcPort: number }> {
  const server = start(['serve', '--json', '--port', '0', '--http-port', '0', ...files('server'), ...more], {
    cwd,
  });
  await server.until(/"grpcPort".*\n/);
  return Object.assign(server, JSON.parse(server.out) as { grpcPort: number });
}

function clientEnv(cwd: string, grpcPort: number): NodeJS.ProcessEnv {
  const at = (name: string): string => join(cwd, 'c', name);
  return {
    HOLDFAST_URL: `holdfast://127.0.0.1:${grpcPort}`,
    HOLDFAST_CA: at('ca.crt'),
    HOLDFAST_CERT: at('ada.crt'),
    HOLDFAST_KEY: at('ada.key'),
  };
}

it('holdfast certs creates an authority once, issues certificates by it, and shows their fields', async () => {
  const cwd = project();
  const made = await within(cwd, 'certs', 'init');
  expect(made).toMatchObject({ code: 0 });
  expect(made.out).toMatch(/^authority created in \.holdfast\/certs\nnext: holdfast certs issue/);
  const again = await within(cwd, 'certs', 'init', '--json');
  expect(again.json).toMatchObject({ created: false });
  expect((await within(cwd, 'certs', 'init')).out).toMatch(
    /^an authority exists in \.holdfast\/certs already/,
  );
  const issued = await within(cwd, 'certs', 'issue', 'ada', '--days', '7', '--json');
  expect(issued.json).toMatchObject({ cert: '.holdfast/certs/ada.crt', key: '.holdfast/certs/ada.key' });
  expect(statSync(join(cwd, '.holdfast/certs/ada.key')).mode & 0o077).toBe(0);
  const shown = await within(cwd, 'certs', 'show', '.holdfast/certs/ada.crt');
  expect(shown.out).toMatch(/^names +URI:spiffe:\/\/holdfast\.dev\/client\/ada$/m);
  expect(shown.out).toMatch(/^not after +\d{4}-\d\d-\d\dT/m);
  const asJson = await within(cwd, 'certs', 'show', '.holdfast/certs/ada.crt', '--json');
  expect(asJson.json).toMatchObject({ subject: 'CN=ada', authority: false });
  const wide = ['--kind', 'server', '--host', 'example.org', '--host', '10.0.0.1'];
  const web = await within(cwd, 'certs', 'issue', ...wide, 'web');
  expect(web).toMatchObject({ code: 0, err: '' });
  expect(web.out).toMatch(/web\.crt\n.*web\.key\n$/);
  const names = await within(cwd, 'certs', 'show', '.holdfast/certs/web.crt');
  expect(names.out).toMatch(/^names +DNS:example\.org, IP Address:10\.0\.0\.1$/m);
  expect((await within(cwd, 'certs', 'issue', 'web')).err).toBe(
    "replaced the existing certificate and key of 'web'\n",
  );
});

it('holdfast certs ends with status 2 and advice for a wrong name, a wrong file or a missing authority', async () => {
  const cwd = project({ 'no.crt': 'nothing' });
  for (const argv of [
    ['issue', 'ada'],
    ['show', 'no.crt'],
    ['show', 'nowhere.crt'],
    ['issue', 'a/b'],
    ['isue', 'a'],
  ]) {
    const { code, err, out } = await within(cwd, 'certs', ...argv);
    expect({ argv, code, out }).toEqual({ argv, code: 2, out: '' });
    expect(err).toMatch(/^error: .+\n {2}\S.+\n$/);
  }
});

it('holdfast serve and holdfast worker end in order at SIGTERM, and an accepted task is there after a restart', async () => {
  const cwd = project({ 'contract.ts': contract, 'worker.ts': worker('Hello') });
  await makeCertificates(cwd);
  const server = await startServe(cwd);
  const env = clientEnv(cwd, server.grpcPort);
  const running = start(['worker', 'worker.ts'], { cwd, env });
  await running.until(/^working on greet\n/);
  const greeted = start(['submit', 'greet', '{"name":"Ada"}', '--key', 'a', '--wait'], { cwd, env });
  expect(await greeted.exit).toBe(0);
  expect(greeted.out).toBe('{"greeting":"Hello, Ada!"}\n');
  running.signal('SIGTERM');
  await running.until(
    /^draining: running tasks may finish within 25 s; a second signal \(Ctrl-C\) ends the worker at once\n/m,
  );
  expect(await running.exit).toBe(0);
  server.signal('SIGTERM');
  expect(await server.exit).toBe(0);
  expect(existsSync(join(cwd, 'holdfast.db.pid'))).toBe(false);

  const again = await startServe(cwd);
  const repeated = start(['submit', 'greet', '{"name":"Ada"}', '--key', 'a', '--json'], {
    cwd,
    env: clientEnv(cwd, again.grpcPort),
  });
  expect(await repeated.exit).toBe(0);
  expect(JSON.parse(repeated.out)).toMatchObject({ deduplicated: true, state: 'succeeded' });
});

it('holdfast serve restarts itself in place with a small V8 young generation, unless NODE_OPTIONS sets the size', async () => {
  const cwd = project();
  await makeCertificates(cwd);
  const server = await startServe(cwd, '--store', 'memory:');
  const argv = readFileSync(`/proc/${server.child.pid}/cmdline`, 'utf8').split('\0');
  expect(argv.filter((word) => word.startsWith('--max-semi-space-size'))).toEqual([
    '--max-semi-space-size=8',
  ]);
  expect(argv).toContain('memory:');
  const options = { cwd, env: { NODE_OPTIONS: '--max-semi-space-size=32' } };
  const own = start(['serve', '--port', '0', '--http-port', '0', ...files('server')], options);
  await own.until(/^serving gRPC on 127\.0\.0\.1:\d+, HTTP on 127\.0\.0\.1:\d+\nstore: \/.*\/holdfast\.db\n/);
  expect(readFileSync(`/proc/${own.child.pid}/cmdline`, 'utf8')).not.toContain('semi-space');
});

it('holdfast serve names a missing option, and the process that holds the store or the port', async () => {
  const cwd = project();
  await makeCertificates(cwd);
  const bare = await within(cwd, 'serve');
  expect(bare).toMatchObject({ code: 2 });
  expect(bare.err).toContain('holdfast certs init');
  expect((await within(cwd, 'serve', '--plaintext', '--host', '0.0.0.0', '--store', 'memory:')).code).toBe(2);
  expect((await within(cwd, 'serve', '--store', 'queue.db', ...files('server'))).err).toContain(
    'file:./queue.db',
  );
  rmSync(join(cwd, 'c/server.key'));
  writeFileSync(join(cwd, 'c/server.key'), readFileSync(join(cwd, 'c/ada.key')));
  const wrong = await within(cwd, 'serve', '--store', 'memory:', ...files('server'));
  expect(wrong).toMatchObject({ code: 2 });
  expect(wrong.err).toMatch(/error: The key in .* does not belong to the certificate/);
  await within(cwd, 'certs', 'issue', 'server', '--kind', 'server', '--dir', 'c');
  const server = await startServe(cwd);
  const more = ['--port', '0', '--http-port', '0', ...files('server'), '--json'];
  expect(await within(cwd, 'serve', ...more)).toMatchObject({
    code: 4,
    json: { error: { reason: 'STORE_LOCKED' } },
  });
  const samePort = ['--port', String(server.grpcPort), '--store', 'memory:', ...files('server')];
  expect(await within(cwd, 'serve', ...samePort)).toMatchObject({ code: 4 });
});

it('holdfast worker ends with status 2 and advice for a module that is missing, broken or without a worker', async () => {
  const cwd = project({
    'worker.ts': 'export const a = 1;',
    'handler.ts':
      "import { defineTask, handle, typed } from 'holdfast';\nexport default handle(defineTask('a', { input: typed<null>() }), () => {});",
    'typo.ts': "import { a } from './wroker.ts';\nexport default a;",
    'enum.ts': 'enum A { b }\nexport default A;',
    'empty.ts': "import { defineWorker } from 'holdfast';\nexport default defineWorker({ handlers: [] });",
    'pkg.ts': "import a from 'no-such-package';\nexport default a;",
    'string.ts': "throw 'up';",
  });
  // Each module is loaded by a process of its own, since the test runner loads modules in another way.
  const errorOf = async (module: string): Promise<string> => {
    const ran = start(['worker', module], { cwd });
    expect({ module, code: await ran.exit, out: ran.out }).toEqual({ module, code: 2, out: '' });
    return ran.err;
  };
  expect(await errorOf('worker.ts')).toMatch(/no worker as its default export\.\n.*defineWorker/);
  expect(await errorOf('handler.ts')).toMatch(/exports a handler: write `export default defineWorker/);
  expect(await errorOf('typo.ts')).toMatch(
    /Cannot find module 'wroker\.ts' imported from typo\.ts\n.*with its ending/,
  );
  expect(await errorOf('enum.ts')).toMatch(
    /enum is not supported.*\n +enum\.ts:1\n[\s\S]*leaving its types out/,
  );
  expect(await errorOf('empty.ts')).toMatch(/handlers: has 0 handlers; at least 1\n[\s\S]*empty\.ts:2/);
  expect(await errorOf('pkg.ts')).toMatch(/Cannot find package 'no-such-package'.*\n.*Install/);
  expect(await errorOf('string.ts')).toMatch(/it threw up\n +string\.ts/);
  expect(await errorOf('wroker.ts')).toMatch(/There is no file 'wroker\.ts'\.\n +Did you mean worker\.ts\?/);
  expect(await errorOf('worker')).toMatch(/Did you mean worker\.ts\?/);
  expect(await errorOf('.')).toMatch(/'\.' is a folder\.\n +Did you mean worker\.ts\?/);
  expect(await errorOf('zzz/worker.ts')).toMatch(/Did you mean worker\.ts\?/);
  expect(await errorOf('zzz.ts')).toMatch(/Give the path of a module/);
});

it('holdfast version prints the versions of Holdfast and Node, and --help prints the usage of a verb', async () => {
  expect((await holdfast('version')).out).toBe(`holdfast ${packageVersion}, node ${process.versions.node}\n`);
  expect((await holdfast('version', '--json')).json).toEqual({
    holdfast: packageVersion,
    node: process.versions.node,
  });
  expect(await holdfast('--version')).toMatchObject({ code: 0, out: `${packageVersion}\n` });
  const help = await holdfast('submit', '--help');
  expect(help).toMatchObject({ code: 0 });
  expect(help.out).toContain('--key <key>');
});
