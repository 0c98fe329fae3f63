/** Starts a Redis whose append-only file is synced as said. */

import type { ServerPlace, StartedServer } from '../peer.ts';
import { listening, programPath } from '../programs.ts';
import { startServer } from '../tied-server.ts';

export async function startRedis(
  { folder, freePort }: ServerPlace,
  fsync: 'always' | 'everysec',
): Promise<StartedServer> {
  const port = await freePort();
  const program = startServer([
    ...[programPath('redis-server', 'redis-server'), '--port', String(port), '--bind', '127.0.0.1'],
    ...['--dir', folder, '--appendonly', 'yes', '--appendfsync', fsync, '--save', ''],
    ...['--maxmemory-policy', 'noeviction'],
  ]);
  await listening(port, program);
  return { address: String(port), stop: () => program.end() };
}
