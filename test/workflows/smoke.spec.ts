/** Runs `npm run smoke` against a local server: directly, and as a task of a cluster that a double of ECS plays. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { smokeActions } from '../../src/core/deployments/actions.ts';
import { serve } from '../../src/node/node.ts';
import { systemClock } from '../../src/platform/clock.ts';
import { silentLog } from '../../src/ports/log.ts';
import { holdfast, startNode } from '../cli/command-server.ts';
import { root } from './workflows.ts';

const smoke = join(root, 'scripts/smoke/main.ts');
const cli = join(root, 'src/cli/main.ts');

async function server(): Promise<string> {
  const serving = await serve({
    store: 'memory:',
    grpc: { host: '127.0.0.1', port: 0, plaintext: true },
    clock: systemClock(),
    log: silentLog,
  });
  onTestFinished(() => serving.close(0));
  return `holdfast+plaintext://127.0.0.1:${serving.listening.grpcPort}`;
}

async function bodyOf(request: IncomingMessage): Promise<Record<string, unknown>> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  return JSON.parse(Buffer.concat(parts).toString()) as Record<string, unknown>;
}

interface Cluster {
  readonly endpoint: string;
  /** The requests, each as its action and its body. */
  readonly calls: [action: string, body: Record<string, unknown>][];
}

/** Plays ECS: it runs the command of a task here, as the container would with the canary's environment. */
async function cluster(url: string | undefined): Promise<Cluster> {
  const calls: Cluster['calls'] = [];
  const taskArn = 'arn:aws:ecs:eu-central-1:123456789012:task/jobs/1';
  let child: ChildProcess | undefined;
  let exitCode: number | undefined;
  const service = {
    taskDefinition: 'arn:aws:ecs:eu-central-1:123456789012:task-definition/canary:7',
    networkConfiguration: { awsvpcConfiguration: { subnets: ['subnet-1'], securityGroups: ['sg-1'] } },
  };
  const answers: Record<string, (body: Record<string, unknown>) => unknown> = {
    DescribeServices: () => ({ services: [service], failures: [] }),
    RunTask: ({ overrides }) => {
      if (url === undefined) return { tasks: [], failures: [{ reason: 'RESOURCE:FARGATE' }] };
      const [{ command }] = (overrides as { containerOverrides: [{ command: string[] }] }).containerOverrides;
      const env = { ...process.env, HOLDFAST_URL: url, HOLDFAST_LOG: 'warn' };
      child = spawn(process.execPath, [cli, ...command], { env, stdio: 'ignore' });
      child.once('exit', (code) => {
        exitCode = code ?? 137;
      });
      return { tasks: [{ taskArn, lastStatus: 'PENDING' }], failures: [] };
    },
    DescribeTasks: () => ({
      tasks: [
        {
          ...{ taskArn, lastStatus: exitCode === undefined ? 'RUNNING' : 'STOPPED' },
          stoppedReason: 'Essential container in task exited',
          containers: [{ name: 'holdfast', ...(exitCode !== undefined && { exitCode }) }],
        },
      ],
    }),
  };
  const http = createServer(async (request, response) => {
    const action = String(request.headers['x-amz-target']).split('.').at(-1) ?? '';
    const body = await bodyOf(request);
    calls.push([action, body]);
    response.setHeader('content-type', 'application/x-amz-json-1.1');
    response.end(JSON.stringify(answers[action]?.(body) ?? {}));
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    child?.kill('SIGKILL');
    http.closeAllConnections();
    http.close();
  });
  return { endpoint: `http://127.0.0.1:${(http.address() as AddressInfo).port}`, calls };
}

function outputsFile(outputs: unknown): string {
  const dir = mkdtempSync(join(tmpdir(), 'holdfast-smoke-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  const file = join(dir, 'outputs.json');
  writeFileSync(file, JSON.stringify(outputs));
  return file;
}

const deployed = {
  'holdfast-dev': {
    ServerClusterName00000001: 'other',
    CanaryClusterName0000000A: 'jobs',
    CanaryServiceName0000000B: 'canary',
  },
};

function inCluster(endpoint: string, ...more: string[]) {
  const env = {
    ...{ AWS_ENDPOINT_URL_ECS: endpoint, AWS_REGION: 'eu-central-1' },
    ...{ AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test' },
  };
  const file = outputsFile(deployed);
  return startNode([smoke, '--outputs', file, '--stack', 'holdfast-dev', '--slots', '1', ...more], { env });
}

it('the smoke test submits and works a task through a server, and its status is 0', async () => {
  const url = await server();
  const run = startNode([smoke, '--url', url, '--slots', '1'], {});
  expect(await run.exit).toBe(0);
  expect(run.out).toContain('canary: slots=1 good=1 bad=0');
  expect(run.out).toContain('smoke: ok');
  const { json } = await holdfast('list', '--queue', 'holdfast-canary', '--url', url, '--json');
  expect(json.tasks[0]).toMatchObject({ type: 'holdfast-canary', state: 'succeeded' });
});

it('the smoke test of a stack runs as a task beside the canary, in its network and by its task definition', async () => {
  const url = await server();
  const { endpoint, calls } = await cluster(url);
  const run = inCluster(endpoint);
  expect([await run.exit, run.err]).toEqual([0, '']);
  expect(run.out).toContain('smoke: ok');
  expect(calls[0]).toEqual(['DescribeServices', { cluster: 'jobs', services: ['canary'] }]);
  expect(calls[1]).toEqual([
    'RunTask',
    expect.objectContaining({
      cluster: 'jobs',
      taskDefinition: 'arn:aws:ecs:eu-central-1:123456789012:task-definition/canary:7',
      networkConfiguration: { awsvpcConfiguration: { subnets: ['subnet-1'], securityGroups: ['sg-1'] } },
    }),
  ]);
  const called = new Set(calls.map(([action]) => `ecs:${action}`));
  expect([...called].sort()).toEqual(Object.values(smokeActions).flat().sort());
  const { json } = await holdfast('list', '--queue', 'holdfast-canary', '--url', url, '--json');
  expect(json.tasks[0]).toMatchObject({ state: 'succeeded' });
});

it('the smoke test fails if the server does not answer, in the cluster too, or if ECS starts no task', async () => {
  const unreachable = await cluster('holdfast+plaintext://127.0.0.1:9');
  const none = await cluster(undefined);
  const runs = [inCluster(unreachable.endpoint), inCluster(none.endpoint)];
  expect(await Promise.all(runs.map(({ exit }) => exit))).toEqual([1, 1]);
  expect(runs[0]?.out).toContain('smoke: failed');
  expect(runs[1]?.err).toContain('ECS started no task: RESOURCE:FARGATE');
});

it('the smoke test refuses a command line that names no server, two, or a stack that the file lacks', async () => {
  const file = outputsFile(deployed);
  const cases: [status: number, words: string, ...argv: string[]][] = [
    [2, 'Give either --url or --outputs'],
    [2, 'Give either --url or --outputs', '--url', 'holdfast://a', '--outputs', file],
    [2, 'belong together', '--outputs', file],
    [2, 'Write a whole number', '--url', 'holdfast://a', '--slots', '0'],
    [1, "has no stack 'other', but: holdfast-dev", '--outputs', file, '--stack', 'other'],
    [1, 'no file of outputs', '--outputs', join(tmpdir(), 'no-such-file'), '--stack', 'other'],
  ];
  for (const [status, words, ...argv] of cases) {
    const run = startNode([smoke, ...argv], {});
    expect([await run.exit, run.err], words).toEqual([status, expect.stringContaining(words)]);
  }
});
