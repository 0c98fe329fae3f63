/** Starts a PostgreSQL with its defaults, which sync each commit to disk. */
import { spawnSync } from 'node:child_process';
import { chownSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { until } from '../../../test/runs/alerts/programs.ts';
import { load } from '../packages.ts';
import type { ServerPlace, StartedServer } from '../peer.ts';
import { listening, programPath } from '../programs.ts';
import { startServer } from '../tied-server.ts';

export interface Pool {
  query(text: string, values?: readonly unknown[]): Promise<unknown>;
  end(): Promise<void>;
  on(event: 'error' | 'connect', listener: (client: Pick<Pool, 'on'>) => void): void;
}
interface Pg {
  readonly default: { readonly Pool: new (options: object) => Pool };
}

/** PostgreSQL refuses to run as root: the account of its Debian package runs it then. */
function asAccount(): { readonly prefix: readonly string[]; readonly uid?: number; readonly gid?: number } {
  if (process.getuid?.() !== 0) return { prefix: [] };
  const idOf = (flag: string): number =>
    Number(spawnSync('id', [flag, 'postgres'], { encoding: 'utf8' }).stdout);
  const [uid, gid] = [idOf('-u'), idOf('-g')];
  const prefix = [
    'setpriv',
    `--reuid=${uid}`,
    `--regid=${gid}`,
    '--clear-groups',
    '--pdeathsig',
    'KILL',
    '--',
  ];
  return { prefix, uid, gid };
}

export async function openPool(address: string, max: number): Promise<Pool> {
  const { Pool } = (await load<Pg>('pg')).default;
  const pool = new Pool({ connectionString: address, max });
  pool.on('error', () => {});
  // graphile-worker asks for a listener on each connection.
  pool.on('connect', (client) => client.on('error', () => {}));
  return pool;
}

export async function startPostgres({ folder, freePort }: ServerPlace): Promise<StartedServer> {
  const port = await freePort();
  const [postgres, initdb] = [programPath('postgres', 'postgresql'), programPath('initdb', 'postgresql')];
  const { prefix, uid, gid } = asAccount();
  const data = join(folder, 'data');
  mkdirSync(data, { mode: 0o700 });
  if (uid !== undefined && gid !== undefined) for (const path of [folder, data]) chownSync(path, uid, gid);
  const init = [...prefix, initdb, '-D', data, '-U', 'postgres', '--auth=trust', '--no-sync'];
  const { status, stderr } = spawnSync(init[0] as string, init.slice(1), { encoding: 'utf8' });
  if (status !== 0) throw new Error(`initdb failed: ${stderr.trim().split('\n').at(-1)}`);
  const settings = [
    'listen_addresses=127.0.0.1',
    `port=${port}`,
    'unix_socket_directories=',
    'max_connections=200',
  ];
  const program = startServer([...prefix, postgres, '-D', data, ...settings.flatMap((one) => ['-c', one])]);
  await listening(port, program);
  const address = `postgres://postgres@127.0.0.1:${port}/postgres`;
  const pool = await openPool(address, 1);
  await until('PostgreSQL answers', 30_000, () => pool.query('SELECT 1'));
  await pool.end();
  return { address, stop: () => program.end('SIGINT') };
}
