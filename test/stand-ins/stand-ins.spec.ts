/**
 * Tests `npm run stand-ins` when it cannot start or continue. Its normal use is tested in
 * test/cli/aws-documented.spec.ts.
 */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { startNode } from '../cli/command-server.ts';

const program = new URL('./main.ts', import.meta.url).pathname;
const free = ['--dynamodb-port', '0', '--sqs-port', '0'];

async function takenPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

async function errorOutput(argv: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<string> {
  const started = startNode([program, ...argv], { env });
  expect(await started.exit).toBe(1);
  expect(started.out).toBe('');
  return started.err;
}

test.each(['--dynamodb-port', '--sqs-port'])(
  'npm run stand-ins ends with one line that names %s if the port is taken',
  async (flag) => {
    const port = await takenPort();
    const others = free.filter((_, i) => i < 2 === (flag === '--sqs-port'));
    expect(await errorOutput([...others, flag, String(port)])).toBe(
      `error: Port ${port} is taken. Name another one: npm run stand-ins -- ${flag} N.\n`,
    );
  },
);

test('npm run stand-ins without dynoxide ends with one line that explains how to install it', async () => {
  const nowhere = `data:text/javascript,${encodeURIComponent(`
    import Module from 'node:module';
    const resolve = Module._resolveFilename;
    Module._resolveFilename = (name, ...rest) => {
      if (name.startsWith('@dynoxide/')) throw new Error('none for this platform');
      return resolve(name, ...rest);
    };
  `)}`;
  const err = await errorOutput(free, { NODE_OPTIONS: `--import=${nowhere}`, HOLDFAST_DYNOXIDE: undefined });
  expect(err).toMatch(/^error: This needs dynoxide, .*`cargo install dynoxide-rs`, .*\n$/);
});

test('npm run stand-ins with a wrong path in HOLDFAST_DYNOXIDE ends with a line that shows the path', async () => {
  expect(await errorOutput(free, { HOLDFAST_DYNOXIDE: '/nowhere' })).toBe(
    'error: dynoxide could not be started: /nowhere\n',
  );
});

test('npm run stand-ins ends when the dynoxide process ends, since all its data is lost', async () => {
  const started = startNode([program, ...free], {});
  await started.until(/HOLDFAST_ENGINE.*\n/);
  const [child = ''] = execFileSync('pgrep', ['-P', String(started.child.pid)], { encoding: 'utf8' }).split(
    '\n',
  );
  process.kill(Number(child), 'SIGKILL');
  expect(await started.exit).toBe(1);
  expect(started.err).toBe('error: dynoxide has ended, and all its data is lost.\n');
});
