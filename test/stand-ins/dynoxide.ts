import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';

export interface Dynoxide {
  readonly endpoint: string;
  readonly port: number;
  /** Resolves when the process has ended, whoever ended it. */
  readonly gone: Promise<void>;
  /** Ends the process; resolves when it is gone. */
  stop(): Promise<void>;
}

const patienceMs = 10_000;
const lookMs = 10;

/** The binary that came with the package; `HOLDFAST_DYNOXIDE` names another one. */
function binary(): string {
  const named = process.env.HOLDFAST_DYNOXIDE;
  if (named !== undefined) return named;
  try {
    const found = createRequire(import.meta.url).resolve('@dynoxide/linux-x64/package.json');
    const path = join(dirname(found), 'dynoxide');
    if (existsSync(path)) return path;
  } catch {
    // Not installed here.
  }
  throw new Error(
    'This needs dynoxide, a stand-in for DynamoDB, and no package brings one for this platform: `cargo install dynoxide-rs`, then set HOLDFAST_DYNOXIDE to it.',
  );
}

/** That one where nobody listens there, else EADDRINUSE; for 0 any free one. */
function freePort(asked: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', reject);
    server.listen(asked, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}

async function answers(endpoint: string, child: ChildProcess): Promise<void> {
  const untilMs = Date.now() + patienceMs;
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
    await new Promise((resolve) => setTimeout(resolve, lookMs));
  }
  throw new Error('dynoxide did not answer');
}

/** Starts one of its own, in memory, on that port of loopback; 0: any free one. */
export async function startDynoxide(asked = 0): Promise<Dynoxide> {
  const port = await freePort(asked);
  const child = spawn(binary(), ['serve', '--host', '127.0.0.1', '--port', String(port)], {
    stdio: 'ignore',
  });
  // Where there is no such program it never has a pid, which `answers` sees.
  child.once('error', () => {});
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  // A test that is cut off must not leave it behind.
  const kill = (): void => void child.kill('SIGKILL');
  process.once('exit', kill);
  const endpoint = `http://127.0.0.1:${port}`;
  try {
    await answers(endpoint, child);
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

/** For a client of the stand-in: it asks for credentials of whatever kind. */
export const clientOf = (endpoint: string) => ({
  endpoint,
  region: 'eu-central-1',
  credentials: { accessKeyId: 'stand-in', secretAccessKey: 'stand-in' },
});
