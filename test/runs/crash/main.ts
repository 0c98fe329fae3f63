/**
 * `npm run crash`: kills a real server under load (SIGKILL) at least 20 times, then until 5 kills have hit a commit,
 * but at most 80 times. It restarts the server each time and then checks how every acknowledged task ended.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { initAuthority } from '../../../src/certs/authority.ts';
import { issue } from '../../../src/certs/issue.ts';
import { grpcTransport } from '../../../src/client/grpc/transport.ts';
import { systemClock } from '../../../src/platform/clock.ts';
import { programOptions } from '../../fixtures/program-options.ts';
import { audit } from './audit.ts';
import { ServerProcess } from './server-process.ts';
import { startSubmitters } from './submitters.ts';
import { WireWorker } from './worker.ts';

const leastKills = 20;
const mostKills = 80;
const wantedInCommit = 5;
const callers = 8;
/**
 * The time to wait before the stored tasks are checked. A lease whose assignment was lost in a kill expires after 32 s.
 */
const settleMs = 40_000;

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const { port } = probe.address() as { port: number };
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

programOptions('crash', {});
const dir = mkdtempSync(join(tmpdir(), 'holdfast-crash-'));
await initAuthority(dir, Date.now());
const tls = await issue(dir, { name: 'server', kind: 'server' }, Date.now());
const client = await issue(dir, { name: 'crash', kind: 'client' }, Date.now());
const port = await freePort();
const server = new ServerProcess({ dir, port, tls });
await server.start();
const transport = (): ReturnType<typeof grpcTransport> =>
  grpcTransport({ address: `127.0.0.1:${port}`, tls: client, clock: systemClock() });
const submitting = transport();
const working = transport();
const submitters = startSubmitters(submitting, callers);
const worker = new WireWorker(working);
const run = worker.run();

/**
 * Waits until the callers have found the server again and have submitted 1,000 more tasks, so that the kill hits a busy
 * server.
 */
async function underLoad(): Promise<void> {
  const { size } = submitters.acknowledged;
  const untilMs = performance.now() + 20_000;
  while (submitters.acknowledged.size < size + 1_000 && performance.now() < untilMs) await sleep(5);
  await sleep(Math.random() * 300);
}

const beganMs = performance.now();
let kills = 0;
let inCommit = 0;
while (kills < mostKills && (kills < leastKills || inCommit < wantedInCommit)) {
  await underLoad();
  if (await server.kill()) inCommit++;
  kills++;
  await server.start();
  if (kills % 5 === 0)
    console.log(
      `${kills} kills, ${inCommit} of them inside a commit, ${submitters.acknowledged.size} acknowledged`,
    );
}
const seconds = (performance.now() - beganMs) / 1_000;
await submitters.stop();
console.log(
  `${Math.round(submitters.acknowledged.size / seconds)} acknowledged submissions/s, restarts included; waiting for leases to expire`,
);
await sleep(settleMs);
worker.stop();
await Promise.race([run, sleep(2_000)]);
await submitting.close();
await working.close();
const status = await server.stop();
if (status !== 0) console.log(`the server's drain ended with status ${status}`);
const ids = [...submitters.acknowledged.values()];
const { lost, doubled } = await audit(join(dir, 'queue.db'), ids);
rmSync(dir, { recursive: true, force: true });
const twice = doubled + submitters.doubled;
console.log(
  `crash: kills=${kills} inCommit=${inCommit} acknowledged=${ids.length} lost=${lost} doubled=${twice}`,
);
process.exit(lost === 0 && twice === 0 && kills >= leastKills && inCommit >= wantedInCommit ? 0 : 1);
