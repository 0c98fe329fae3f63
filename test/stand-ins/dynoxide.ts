import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';

export interface Dynoxide {
  readonly endpoint: string;
  readonly port: number;
  /** Resolves when the dynoxide process has ended, for whatever reason. */
  readonly gone: Promise<void>;
  /** Kills the dynoxide process and waits until it has ended. */
  stop(): Promise<void>;
}

const startTimeoutMs = 10_000;
const pollMs = 10;

/** Returns the path of the dynoxide binary: `HOLDFAST_DYNOXIDE` if that is set, else the binary of the npm package. */
function binary(): string {
  const named = process.env.HOLDFAST_DYNOXIDE;
  if (named !== undefined) return named;
  try {
    const found = createRequire(import.meta.url).resolve('@dynoxide/linux-x64/package.json');
    const path = join(dirname(found), 'dynoxide');
    if (existsSync(path)) return path;
  } catch {
    // The npm package of dynoxide is not installed on this platform. The error that `binary` then throws explains how
    // to install dynoxide.
  }
  throw new Error(
    'This needs dynoxide, a stand-in for DynamoDB, and no package brings one for this platform: `cargo install dynoxide-rs`, then set HOLDFAST_DYNOXIDE to it.',
  );
}

/** Returns the TCP port if it is free, else fails with EADDRINUSE. For port 0 it returns any free port. */
function freePort(port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', reject);
    server.listen(port, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}

async function waitForAnswer(endpoint: string, child: ChildProcess): Promise<void> {
  const untilMs = Date.now() + startTimeoutMs;
  while (Date.now() < untilMs) {
    if (child.exitCode !== null || child.signalCode !== null) {
      throw new Error(`dynoxide ended with ${child.exitCode ?? child.signalCode}`);
    }
    if (child.pid === undefined) throw new Error(`dynoxide could not be started: ${child.spawnfile}`);
    const ready = await fetch(endpoint).then(
      () => true,
      () => false,
    );
    if (ready) return;
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
  throw new Error('dynoxide did not answer');
}

/**
 * Starts dynoxide, a stand-in for DynamoDB, with its data in memory, on this port of 127.0.0.1; 0 chooses a free port.
 */
export async function startDynoxide(requestedPort = 0): Promise<Dynoxide> {
  const port = await freePort(requestedPort);
  const child = spawn(binary(), ['serve', '--host', '127.0.0.1', '--port', String(port)], {
    stdio: 'ignore',
  });
  // A program that does not exist never gets a pid, which `waitForAnswer` checks.
  child.once('error', () => {});
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  // A test that is aborted must not leave the dynoxide process running.
  const kill = (): void => void child.kill('SIGKILL');
  process.once('exit', kill);
  const endpoint = `http://127.0.0.1:${port}`;
  try {
    await waitForAnswer(endpoint, child);
  } catch (thrown) {
    kill();
    throw thrown;
  }
  return {
    endpoint,
    port,
    gone,
    async stop() {
      process.removeListener('exit', kill);
      kill();
      await gone;
    },
  };
}

/** The configuration of an AWS SDK client for a stand-in, which accepts any credentials. */
export const clientOf = (endpoint: string) => ({
  endpoint,
  region: 'eu-central-1',
  credentials: { accessKeyId: 'stand-in', secretAccessKey: 'stand-in' },
});
