/** A real server in a process of its own, over mutual TLS, every commit synced. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { initAuthority } from '../../src/certs/authority.ts';
import { issue } from '../../src/certs/issue.ts';
import type { CertificateFiles } from '../../src/tls/load.ts';

/** Of the server's process, since its start. */
export interface ServerUsage {
  /** Resident memory now. */
  readonly rssMb: number;
  readonly cpuMs: number;
  /** Commits, each with one sync. */
  readonly syncs: number;
  /** What it had written to disk. */
  readonly writtenBytes: number;
}

export interface RigServer {
  readonly address: string;
  readonly tls: CertificateFiles;
  /** From the start of the process until it serves. */
  readonly startMs: number;
  usage(): ServerUsage;
  /** SIGKILL, then a start on the same store. */
  restart(): Promise<RigServer>;
  stop(): Promise<void>;
}

const main = new URL('../../src/cli/main.ts', import.meta.url).pathname;
const tickMs = 10;

async function launch(dir: string, files: CertificateFiles, client: CertificateFiles): Promise<RigServer> {
  const beganMs = performance.now();
  const at = [
    'serve',
    '--json',
    '--store',
    `file:${join(dir, 'queue.db')}`,
    '--port',
    '0',
    '--http-port',
    '0',
  ];
  const tls = ['--ca', files.ca, '--cert', files.cert, '--key', files.key];
  const mark = join(dir, 'commits');
  rmSync(mark, { force: true });
  const env = {
    ...process.env,
    HOLDFAST_LOG: 'error',
    MALLOC_ARENA_MAX: '1',
    HOLDFAST_COMMIT_MARK: mark,
  };
  const child: ChildProcess = spawn(process.execPath, [main, ...at, ...tls], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [first] = (await once(child.stdout as NodeJS.ReadableStream, 'data')) as [Buffer];
  const startMs = performance.now() - beganMs;
  const { grpcPort } = JSON.parse(first.toString()) as { grpcPort: number };
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    const gone = once(child, 'exit');
    child.kill(signal);
    await gone;
  };
  return {
    address: `127.0.0.1:${grpcPort}`,
    tls: client,
    startMs,
    usage() {
      const status = readFileSync(`/proc/${child.pid}/status`, 'utf8');
      const stat = readFileSync(`/proc/${child.pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
      const rssKb = Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0);
      const io = readFileSync(`/proc/${child.pid}/io`, 'utf8');
      return {
        rssMb: rssKb / 1_024,
        cpuMs: (Number(stat[11]) + Number(stat[12])) * tickMs,
        // A byte before each commit and one after it.
        syncs: statSync(mark).size / 2,
        writtenBytes: Number(/^write_bytes: (\d+)/m.exec(io)?.[1] ?? 0),
      };
    },
    async restart() {
      await end('SIGKILL');
      return launch(dir, files, client);
    },
    async stop() {
      await end('SIGTERM');
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

export async function startServer(): Promise<RigServer> {
  const dir = mkdtempSync(join(tmpdir(), 'holdfast-rig-'));
  await initAuthority(dir, Date.now());
  const files = await issue(dir, { name: 'server', kind: 'server' }, Date.now());
  const client = await issue(dir, { name: 'rig', kind: 'client' }, Date.now());
  return launch(dir, files, client);
}
