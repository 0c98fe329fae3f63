/** Races between two worker processes that claim by unary calls from one server on SQLite. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { initAuthority } from '../../../src/certs/authority.ts';
import { issue } from '../../../src/certs/issue.ts';
import { grpcTransport } from '../../../src/client/grpc/transport.ts';
import { systemClock } from '../../../src/platform/clock.ts';
import { Judge, Readiness } from './judge.ts';
import { claimerNames } from './names.ts';
import { type Race, type RaceChild, startChild } from './race.ts';
import { acceptedId, raceItem } from './task.ts';

export async function raceOnSqlite(count: number): Promise<Race[]> {
  const dir = mkdtempSync(join(tmpdir(), 'holdfast-races-'));
  const children: RaceChild[] = [];
  try {
    await initAuthority(dir, Date.now());
    const own = await issue(dir, { name: 'server', kind: 'server' }, Date.now());
    const tls = await issue(dir, { name: 'racer', kind: 'client' }, Date.now());
    const judge = new Judge(claimerNames.length);
    const port = await new Promise<number>((resolve) => {
      const args = [join(dir, 'queue.db'), own.ca, own.cert, own.key];
      const server = startChild('./sqlite-server.ts', args, (report) =>
        report.kind === 'ready' ? resolve(report.port ?? 0) : judge.receive('server', report),
      );
      children.push(server);
    });
    const address = `127.0.0.1:${port}`;
    const readiness = new Readiness(claimerNames.length);
    const claimers = claimerNames.map((name) =>
      startChild('./sqlite-claimer.ts', [name, address, tls.ca, tls.cert, tls.key], (report) => {
        readiness.receive(report);
        judge.receive(name, report);
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
