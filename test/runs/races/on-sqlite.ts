/** Two workers by unary calls, each a process, against one server on SQLite. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { initAuthority } from '../../../src/certs/authority.ts';
import { issue } from '../../../src/certs/issue.ts';
import { grpcTransport } from '../../../src/client/grpc/transport.ts';
import { systemClock } from '../../../src/platform/clock.ts';
import { Judge, Readiness } from './judge.ts';
import { claimerNames } from './names.ts';
import { type Child, child, type Race } from './race.ts';
import { acceptedId, raceItem } from './task.ts';

export async function raceOnSqlite(count: number): Promise<Race[]> {
  const dir = mkdtempSync(join(tmpdir(), 'holdfast-races-'));
  const children: Child[] = [];
  try {
    await initAuthority(dir, Date.now());
    const own = await issue(dir, { name: 'server', kind: 'server' }, Date.now());
    const tls = await issue(dir, { name: 'racer', kind: 'client' }, Date.now());
    const judge = new Judge(claimerNames.length);
    const port = await new Promise<number>((resolve) => {
      const args = [join(dir, 'queue.db'), own.ca, own.cert, own.key];
      const server = child('./sqlite-server.ts', args, (told) =>
        told.kind === 'ready' ? resolve(told.port ?? 0) : judge.receiveMessage('server', told),
      );
      children.push(server);
    });
    const address = `127.0.0.1:${port}`;
    const readiness = new Readiness(claimerNames.length);
    const claimers = claimerNames.map((name) =>
      child('./sqlite-claimer.ts', [name, address, tls.ca, tls.cert, tls.key], (told) => {
        readiness.receiveMessage(told);
        judge.receiveMessage(name, told);
      }),
    );
    children.unshift(...claimers);
    await readiness.ready;
    const transport = grpcTransport({ address, tls, clock: systemClock() });
    const races = await judge.races(count, claimers, async (i) => {
      const { results } = await transport.submit({ tenant: '', queue: 'races', items: [raceItem(i)] }, {});
      const taskId = acceptedId(results[0]);
      return { taskId, message: { taskId } };
    });
    await transport.close();
    return races;
  } finally {
    for (const one of children) await one.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}
