/** `npm run stand-ins`, where it cannot start or go on. How it is used: test/cli/aws-documented.spec.ts. */
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

async function refused(argv: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<string> {
  const started = startNode([program, ...argv], { env });
  expect(await started.exit).toBe(1);
  expect(started.out).toBe('');
  return started.err;
}

test.each(['--dynamodb-port', '--sqs-port'])(
  'a port that is taken is one line, which names %s',
  async (flag) => {
    const port = await takenPort();
    const others = free.filter((_, i) => i < 2 === (flag === '--sqs-port'));
    expect(await refused([...others, flag, String(port)])).toBe(
      `error: Port ${port} is taken. Name another one: npm run stand-ins -- ${flag} N.\n`,
    );
  },
);

test('where there is no dynoxide, one line says how to come by it', async () => {
  const nowhere = `data:text/javascript,${encodeURIComponent(`
    import Module from 'node:module';
    const resolve = Module._resolveFilename;
    Module._resolveFilename = (name, ...rest) => {
      if (name.startsWith('@dynoxide/')) throw new Error('none for this platform');
      return resolve(name, ...rest);
    };
  `)}`;
  const err = await refused(free, { NODE_OPTIONS: `--import=${nowhere}`, HOLDFAST_DYNOXIDE: undefined });
  expect(err).toMatch(/^error: This needs dynoxide, .*`cargo install dynoxide-rs`, .*\n$/);
});

test('what HOLDFAST_DYNOXIDE names wrongly is told', async () => {
  expect(await refused(free, { HOLDFAST_DYNOXIDE: '/nowhere' })).toBe(
    'error: dynoxide could not be started: /nowhere\n',
  );
});

test('it ends where dynoxide does, since what that held is gone', async () => {
  const started = startNode([program, ...free], {});
  await started.until(/HOLDFAST_ENGINE.*\n/);
  const [child = ''] = execFileSync('pgrep', ['-P', String(started.child.pid)], { encoding: 'utf8' }).split(
    '\n',
  );
  process.kill(Number(child), 'SIGKILL');
  expect(await started.exit).toBe(1);
  expect(started.err).toBe('error: dynoxide has ended, and all that it held is gone.\n');
});
