/** ministack as a whole, a stand-in for ECS, ECR, SSM and DynamoDB, for runs that need no faults of SQS. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pythonEnvironment } from '../../../fixtures/python-environment.ts';

const release = '1.5.33';
const startTimeoutMs = 20_000;
const pollMs = 50;

export interface Ministack {
  readonly endpoint: string;
  stop(): Promise<void>;
}

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

async function untilAnswering(child: ChildProcess, endpoint: string): Promise<void> {
  for (const endMs = Date.now() + startTimeoutMs; ; ) {
    if (child.exitCode !== null || Date.now() > endMs) throw new Error('ministack did not start');
    const isUp = await fetch(endpoint).then(
      () => true,
      () => false,
    );
    if (isUp) return;
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
}

/** Ends ministack with its parent, also if the parent is killed. */
const tied = `
import os, runpy, sys, threading, time
parent = int(sys.argv[1])
def watch():
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(0)
threading.Thread(target=watch, daemon=True).start()
sys.argv = ["ministack"]
from ministack.app import main
sys.exit(main())
`;

export async function startMinistack(): Promise<Ministack> {
  const python = pythonEnvironment(`ministack-${release}`, [`ministack==${release}`]);
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-ministack-'));
  const port = await freePort();
  const child = spawn(python, ['-c', tied, String(process.pid)], {
    cwd: folder,
    env: {
      PATH: `${dirname(python)}:${process.env.PATH}`,
      ...{ HOME: folder, TMPDIR: folder, STATE_DIR: folder, LOG_LEVEL: 'ERROR' },
      ...{ BIND_HOST: '127.0.0.1', MINISTACK_HOST: '127.0.0.1', GATEWAY_PORT: String(port) },
      // Without an engine of containers nothing runs, and a rollout has ended at once.
      DOCKER_HOST: 'unix:///nonexistent',
    },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const endpoint = `http://127.0.0.1:${port}`;
  await untilAnswering(child, endpoint);
  return {
    endpoint,
    async stop() {
      child.kill('SIGKILL');
      await ended;
      await rm(folder, { recursive: true, force: true });
    },
  };
}
