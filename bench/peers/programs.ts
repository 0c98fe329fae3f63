/** Finds and installs the servers of the peers. */
import { spawnSync } from 'node:child_process';
import { existsSync, globSync, mkdirSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { join } from 'node:path';
import { until } from '../../test/runs/alerts/programs.ts';
import { cache } from './packages.ts';
import type { TiedServer } from './tied-server.ts';

const startLimitMs = 60_000;
const natsVersion = '2.15.2';
const places = ['/usr/bin', '/usr/sbin', '/usr/local/bin', join(cache, 'bin')];

/** Returns the path of a program, or throws an Error that says in one line how to install it. */
export function programPath(name: string, debianPackage: string): string {
  const find = (): string | undefined =>
    places.map((place) => join(place, name)).find((path) => existsSync(path)) ??
    globSync(`/usr/lib/postgresql/*/bin/${name}`).at(-1);
  const found = find();
  if (found !== undefined) return found;
  const args = ['install', '--yes', '--no-install-recommends', debianPackage];
  if (process.getuid?.() === 0) {
    // The packages start services where a machine runs services; this run needs none.
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' };
    spawnSync('apt-get', args, { stdio: 'ignore', env, timeout: 180_000 });
  }
  const installed = find();
  if (installed === undefined) throw new Error(`${name} not found; to install: apt-get ${args.join(' ')}`);
  return installed;
}

/** Returns the path of a new nats-server, which is built from its Go module once. */
export function natsServer(): string {
  const path = join(cache, 'bin', 'nats-server');
  if (existsSync(path)) return path;
  const module = `github.com/nats-io/nats-server/v2@v${natsVersion}`;
  mkdirSync(join(cache, 'bin'), { recursive: true });
  for (const go of ['go', '/usr/local/go/bin/go']) {
    const env = {
      ...process.env,
      GOBIN: join(cache, 'bin'),
      GOPATH: join(cache, 'go'),
      GOFLAGS: '-modcacherw',
    };
    spawnSync(go, ['install', module], { stdio: 'ignore', env, timeout: 600_000 });
    if (existsSync(path)) return path;
  }
  throw new Error(`nats-server not found; to install: GOBIN=${join(cache, 'bin')} go install ${module}`);
}

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

/** Resolves when the server listens on the port. */
export async function listening(port: number, { ended }: TiedServer): Promise<void> {
  const answers = until(`a server on port ${port}`, startLimitMs, () => {
    const socket = connect(port, '127.0.0.1');
    return new Promise<true>((resolve, reject) => {
      socket.once('connect', () => resolve(true)).once('error', reject);
    }).finally(() => socket.destroy());
  });
  answers.catch(() => {});
  await Promise.race([answers, ended]);
}
