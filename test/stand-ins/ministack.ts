import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { TimeInFile } from './shared-time.ts';
import { SqsFront } from './sqs-front.ts';
import type { SqsStandIn } from './sqs-stand-in.ts';

const startTimeoutMs = 20_000;
const pollMs = 50;
const server = fileURLToPath(new URL('./ministack-server.py', import.meta.url));

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

async function answers(endpoint: string): Promise<boolean> {
  try {
    await fetch(endpoint);
    return true;
  } catch {
    return false;
  }
}

/**
 * Starts ministack, a stand-in for SQS, with the Python of a virtual environment. Like AWS, and unlike fauxqs,
 * ministack returns several messages of a group in one receive, refuses receipt handles of an earlier receive and
 * deduplicates by group. Unlike AWS it accepts expired receipt handles, so it runs behind the same proxy as fauxqs.
 */
export async function startMinistack(python: string): Promise<SqsStandIn> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-ministack-'));
  const time = await TimeInFile.open(join(folder, 'time'));
  const port = await freePort();
  const child = spawn(python, [server], {
    cwd: folder,
    env: {
      PATH: process.env.PATH,
      HOME: folder,
      TMPDIR: folder,
      BIND_HOST: '127.0.0.1',
      GATEWAY_PORT: String(port),
      LOG_LEVEL: 'ERROR',
      HOLDFAST_TIME_FILE: time.path,
    },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  process.once('exit', () => child.kill('SIGKILL'));
  const target = `http://127.0.0.1:${port}`;
  for (const endMs = Date.now() + startTimeoutMs; !(await answers(target)); ) {
    if (child.exitCode !== null || Date.now() > endMs) throw new Error('ministack did not start');
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
  let nowMs = 0;
  const front = await SqsFront.open(target, () => nowMs || Date.now());
  return {
    endpoint: front.endpoint,
    front,
    setTime(ms) {
      nowMs = ms;
      time.set(ms);
    },
    async stop() {
      await front.close();
      child.kill('SIGKILL');
      await ended;
      await time.close();
      await rm(folder, { recursive: true });
    },
  };
}
