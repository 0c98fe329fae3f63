/** docs/aws.md, run as it is written, on stand-ins and on ports of its own. */
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

/** The commands of a part of the page, block by block. */
function blocks(from: string, to: string): string[] {
  const part = page.slice(page.indexOf(from), page.indexOf(to));
  return [...part.matchAll(/```sh\n([\s\S]*?)```/g)].map(([, script = '']) => script);
}

interface Ports {
  readonly grpcPort: number;
  readonly httpPort: number;
}

interface Here {
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
}

/** What a command of the page says, after `npx holdfast`. */
function words(command: string | undefined): string[] {
  const [, said = ''] = /^npx holdfast (.*)$/.exec(command ?? '') ?? [];
  return said.split(' ');
}

function environment(exports: string): NodeJS.ProcessEnv {
  return Object.fromEntries(
    [...exports.matchAll(/([A-Z_]+)=(\S+)/g)].map(([, name, value]) => [name, value]),
  );
}

async function shell({ cwd, env }: Here, script: string | undefined): Promise<string> {
  const here = (script ?? '').replaceAll('npx holdfast', `'${process.execPath}' '${main}'`);
  return (await promisify(execFile)('bash', ['-euc', here], { cwd, env: { ...process.env, ...env } })).stdout;
}

/** Starts `serve` as the page has it, but on free ports. */
async function served(here: Here, command: string | undefined): Promise<Started & Ports> {
  const server = start([...words(command), '--json', '--port', '0', '--http-port', '0'], here);
  await server.until(/\n/);
  return Object.assign(server, JSON.parse(server.out) as Ports);
}

async function end(...started: readonly Started[]): Promise<void> {
  for (const one of started) {
    one.signal('SIGTERM');
    expect(await one.exit).toBe(0);
  }
}

/** Stand-ins as `npm run stand-ins` starts them, on free ports; what they say is to be set. */
async function standIns(): Promise<{ readonly running: Started; readonly exports: string }> {
  const [, program = ''] = /^exec node (\S+)$/.exec(scripts['stand-ins']) ?? [];
  const running = startNode([program, '--dynamodb-port', '0', '--sqs-port', '0'], { cwd: root });
  // In order, also where the test fails: killed, it would leave dynoxide behind.
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

it('without an account: stand-ins, table and queue, server, a worker on SQS and a task, each as the page has it', async () => {
  const [first, set, serverSide, workerSide, ...more] = blocks('## Try it without', '## Settings');
  expect(first).toBe('npm run stand-ins\n');
  const { running, exports } = await standIns();
  expect(atAnyPort(set ?? '')).toBe(atAnyPort(exports));
  expect(running.out).toContain('in memory');

  const here = { cwd: root, env: environment(exports) };
  const [init, serve, ...others] = serverSide?.trim().split('\n') ?? [];
  expect(await shell(here, init)).toContain('queue default (normal): created');
  const server = await served(here, serve);
  const working = start(words(workerSide?.trim()), here);
  await working.until(/working on greet/);

  const [task, ...rest] = more;
  const told = await shell(here, task?.replace(':7233', `:${server.grpcPort}`));
  expect(told).toMatch(/^\{"greeting":"Hello, Ada!"\}\nID.*\n\S+ +succeeded +greet /);
  expect([others, rest]).toEqual([[], []]);
  await end(working, server, running);
});

it('in a project: certificates, table and queues, server, a worker on SQS and a task, each as the page has it', async () => {
  const [install = '', certificates, commands, task, ...more] = blocks('# On AWS', '## Try it without');
  const [, asReadme = ''] =
    /^(npm i \S+) .*@aws-sdk\/client-dynamodb @aws-sdk\/client-sqs/.exec(install) ?? [];
  expect(readme).toContain(`\n${asReadme} `);
  const { running, exports } = await standIns();
  // All but what the page's own commands say.
  const { HOLDFAST_ENGINE: _, HOLDFAST_AWS_TABLE: __, ...env } = environment(exports);
  const here = { cwd: project({ 'contract.ts': contract, 'worker.ts': worker('Hello') }), env };

  await shell(here, certificates);
  const [init, serve, work, ...others] = commands?.trim().split('\n') ?? [];
  await shell(here, init);
  const server = await served(here, serve);
  const working = start(words(work), here);
  await working.until(/working on greet/);
  const told = await shell(here, task?.replace(':7233', `:${server.grpcPort}`));
  expect(told).toBe('{"greeting":"Hello, Ada!"}\n');
  const health = `curl -sS --cacert certs/ca.crt https://localhost:${server.httpPort}/healthz`;
  expect(await shell(here, health)).toBe('SERVING\n');
  expect([others, more]).toEqual([[], []]);
  await end(working, server, running);
});
