/** Runs the commands of docs/aws.md as they are written, on stand-ins and on free ports. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { expect, it, onTestFinished, vi } from 'vitest';
import { contract, project, type Started, start, startNode, worker } from './command-server.ts';

vi.setConfig({ testTimeout: 60_000 });

const page = readFileSync(new URL('../../docs/aws.md', import.meta.url), 'utf8');
const root = new URL('../../', import.meta.url).pathname;
const main = `${root}src/cli/main.ts`;
const readme = readFileSync(`${root}README.md`, 'utf8');
const { scripts } = JSON.parse(readFileSync(`${root}package.json`, 'utf8'));

/** Returns the shell blocks of a part of docs/aws.md. */
function blocks(from: string, to: string): string[] {
  const part = page.slice(page.indexOf(from), page.indexOf(to));
  return [...part.matchAll(/```sh\n([\s\S]*?)```/g)].map(([, script = '']) => script);
}

interface Ports {
  readonly grpcPort: number;
  readonly httpPort: number;
}

interface ShellOptions {
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
}

/** Returns the words of a command of docs/aws.md, after `npx holdfast`. */
function words(command: string | undefined): string[] {
  const [, text = ''] = /^npx holdfast (.*)$/.exec(command ?? '') ?? [];
  return text.split(' ');
}

function environment(exports: string): NodeJS.ProcessEnv {
  return Object.fromEntries(
    [...exports.matchAll(/([A-Z_]+)=(\S+)/g)].map(([, name, value]) => [name, value]),
  );
}

async function shell({ cwd, env }: ShellOptions, script: string | undefined): Promise<string> {
  const localScript = (script ?? '').replaceAll('npx holdfast', `'${process.execPath}' '${main}'`);
  return (await promisify(execFile)('bash', ['-euc', localScript], { cwd, env: { ...process.env, ...env } }))
    .stdout;
}

/** Starts the `serve` command of docs/aws.md, but on free ports. */
async function startServe(options: ShellOptions, command: string | undefined): Promise<Started & Ports> {
  const server = start([...words(command), '--json', '--port', '0', '--http-port', '0'], options);
  await server.until(/"grpcPort".*\n/);
  return Object.assign(server, JSON.parse(server.out) as Ports);
}

async function end(...started: readonly Started[]): Promise<void> {
  for (const one of started) {
    one.signal('SIGTERM');
    expect(await one.exit).toBe(0);
  }
}

/** Starts the stand-ins as `npm run stand-ins` does, on free ports, and returns the `export` lines that they print. */
async function standIns(): Promise<{ readonly running: Started; readonly exports: string }> {
  const [, program = ''] = /^exec node (\S+)$/.exec(scripts['stand-ins']) ?? [];
  const running = startNode([program, '--dynamodb-port', '0', '--sqs-port', '0'], { cwd: root });
  // The stand-ins are stopped by a signal even if the test fails. A kill would leave the dynoxide process running.
  onTestFinished(async () => {
    running.signal('SIGTERM');
    await running.exit;
  });
  await running.until(/HOLDFAST_ENGINE.*\n/);
  return {
    running,
    exports: running.out
      .split('\n')
      .filter((line) => line.startsWith('export '))
      .join('\n'),
  };
}

const atAnyPort = (text: string): string => text.replaceAll(/(127\.0\.0\.1:)\d+/g, '$1N').trim();

it('docs/aws.md without an account: the commands for stand-ins, table, server, worker and a task work as written', async () => {
  const [first, set, serverSide, workerSide, ...more] = blocks('## Try it without', '## Settings');
  expect(first).toBe('npm run stand-ins\n');
  const { running, exports } = await standIns();
  expect(atAnyPort(set ?? '')).toBe(atAnyPort(exports));
  expect(running.out).toContain('in memory');

  const options = { cwd: root, env: environment(exports) };
  const [init, serve, ...others] = serverSide?.trim().split('\n') ?? [];
  expect(await shell(options, init)).toContain('queue default (normal): created');
  const server = await startServe(options, serve);
  const working = start(words(workerSide?.trim()), options);
  await working.until(/working on greet/);

  const [task, ...rest] = more;
  const printed = await shell(options, task?.replace(':7433', `:${server.grpcPort}`));
  expect(printed).toMatch(/^\{"greeting":"Hello, Ada!"\}\nQUEUE +ID.*\n\S+ +\S+ +succeeded +greet /);
  expect([others, rest]).toEqual([[], []]);
  await end(working, server, running);
});

it('docs/aws.md in a project: the commands for certificates, table, server, worker and a task work as written', async () => {
  const [install = '', certificates, commands, task, ...more] = blocks('# On AWS', '## Try it without');
  const [, asReadme = ''] =
    /^(npm i \S+) .*@aws-sdk\/client-dynamodb @aws-sdk\/client-sqs/.exec(install) ?? [];
  expect(readme).toContain(`\n${asReadme} `);
  const { running, exports } = await standIns();
  // The commands of docs/aws.md name the engine and the table, so the environment variables for both are left out.
  const { HOLDFAST_ENGINE: _, HOLDFAST_AWS_TABLE: __, ...env } = environment(exports);
  const options = { cwd: project({ 'contract.ts': contract, 'worker.ts': worker('Hello') }), env };

  await shell(options, certificates);
  const [init, serve, work, ...others] = commands?.trim().split('\n') ?? [];
  await shell(options, init);
  const server = await startServe(options, serve);
  const working = start(words(work), options);
  await working.until(/working on greet/);
  const printed = await shell(options, task?.replace(':7433', `:${server.grpcPort}`));
  expect(printed).toBe('{"greeting":"Hello, Ada!"}\n');
  const health = `curl -sS --cacert certs/ca.crt https://localhost:${server.httpPort}/healthz`;
  expect(await shell(options, health)).toBe('SERVING\n');
  expect([others, more]).toEqual([[], []]);
  await end(working, server, running);
});
