/** Tests `holdfast canary` as a process: against a real server, against none, and how it ends. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { initAuthority } from '../../src/certs/authority.ts';
import { issue } from '../../src/certs/issue.ts';
import { type RunningServer, serve } from '../../src/node/node.ts';
import { systemClock } from '../../src/platform/clock.ts';
import { silentLog } from '../../src/ports/log.ts';
import { holdfast, type Started, start } from './command-server.ts';

async function server(port = 0): Promise<RunningServer> {
  const dir = mkdtempSync(join(tmpdir(), 'holdfast-canary-'));
  const serving = await serve({
    store: `file:${join(dir, 'queue.db')}`,
    grpc: { host: '127.0.0.1', port, plaintext: true },
    http: { host: '127.0.0.1', port: 0, plaintext: true },
    clock: systemClock(),
    log: silentLog,
  });
  onTestFinished(async () => {
    await serving.close(0);
    rmSync(dir, { recursive: true, force: true });
  });
  return serving;
}

async function canary(url: string, env: NodeJS.ProcessEnv = {}, slot = '250ms') {
  const argv = ['canary', '--url', url, '--slot', slot, '--metrics-port', '0', '--json'];
  const process = start(argv, { env });
  const [line] = await process.until(/\{.*\}\n/);
  const { metricsPort, queue } = JSON.parse(line) as { metricsPort: number; queue: string };
  const counts = async (): Promise<Record<string, number>> => {
    const text = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
    const samples = text.matchAll(/^holdfast_canary_slots_total\{result="(\w+)"\} (\d+)$/gm);
    return Object.fromEntries([...samples].map(([, result, count]) => [result, Number(count)]));
  };
  return { process, counts, queue, metricsPort };
}

async function endsInOrder({ child, exit }: Started): Promise<void> {
  child.kill('SIGTERM');
  expect(await exit).toBe(0);
}

it('the canary submits a task in each slot, works it in a queue of its own, and ends at SIGTERM', async () => {
  const serving = await server();
  const url = `holdfast+plaintext://127.0.0.1:${serving.listening.grpcPort}`;
  const { process, counts, queue, metricsPort } = await canary(url);
  expect(queue).toBe('holdfast-canary');
  await expect.poll(async () => (await counts()).good).toBeGreaterThan(4);
  const { json } = await holdfast('list', '--queue', queue, '--url', url, '--json');
  expect(json.tasks[0]).toMatchObject({ type: 'holdfast-canary' });
  expect((await fetch(`http://127.0.0.1:${metricsPort}/other`)).status).toBe(404);
  expect((await fetch(`http://127.0.0.1:${metricsPort}/metrics`, { method: 'POST' })).status).toBe(405);
  await endsInOrder(process);
});

it('the canary counts the slots of an unreachable server as bad, logs one line, and goes on when it is back', async () => {
  const first = await server();
  const { grpcPort } = first.listening;
  const { process, counts } = await canary(`holdfast+plaintext://127.0.0.1:${grpcPort}`);
  await expect.poll(async () => (await counts()).good).toBeGreaterThan(1);
  await first.close(0);
  await expect
    .poll(async () => {
      const { unreachable = 0, late = 0 } = await counts();
      return unreachable + late;
    })
    .toBeGreaterThan(4);
  const { good = 0 } = await counts();
  await server(grpcPort);
  await expect.poll(async () => (await counts()).good).toBeGreaterThan(good + 2);
  expect(process.err.match(/a slot of the canary was bad/g)).toHaveLength(1);
  await endsInOrder(process);
});

it('the canary starts without a server, and ends at SIGTERM although none answers', async () => {
  const { process, counts } = await canary('holdfast+plaintext://127.0.0.1:9');
  await expect.poll(async () => (await counts()).unreachable).toBeGreaterThan(1);
  await endsInOrder(process);
});

it('the canary counts the slots as refused that it has no permission for, and goes on when it has', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'holdfast-canary-'));
  await initAuthority(dir, Date.now());
  const tls = await issue(dir, { name: 'server', kind: 'server' }, Date.now());
  const { ca, cert, key } = await issue(dir, { name: 'canary', kind: 'client' }, Date.now());
  const policyFile = join(dir, 'policy.json');
  const policy = (identity: string): void =>
    writeFileSync(
      policyFile,
      JSON.stringify({ rules: [{ identity: `spiffe://holdfast.dev/client/${identity}` }] }),
    );
  policy('ops');
  const serving = await serve({
    store: 'memory:',
    grpc: { host: '127.0.0.1', port: 0, tls },
    auth: { policyFile },
    clock: systemClock(),
    log: silentLog,
  });
  onTestFinished(async () => {
    await serving.close(0);
    rmSync(dir, { recursive: true, force: true });
  });
  const env = { HOLDFAST_CA: ca, HOLDFAST_CERT: cert, HOLDFAST_KEY: key };
  // The one line is that of the first bad slot: a slot so long is refused before it is late.
  const url = `holdfast://127.0.0.1:${serving.listening.grpcPort}`;
  const { process, counts } = await canary(url, env, '2s');
  await expect.poll(async () => (await counts()).refused).toBeGreaterThan(1);
  expect(process.err).toMatch(/a slot of the canary was bad: .*canary/);
  policy('canary');
  await expect.poll(async () => (await counts()).good, { timeout: 20_000 }).toBeGreaterThan(1);
  await endsInOrder(process);
});

it('the canary with --slots ends by itself, with status 0 if all its slots were good and 1 if one was bad', async () => {
  const serving = await server();
  const url = `holdfast+plaintext://127.0.0.1:${serving.listening.grpcPort}`;
  const good = start(['canary', '--slots', '2', '--slot', '2s', '--url', url, '--json']);
  expect(await good.exit).toBe(0);
  expect(JSON.parse(good.out)).toEqual({ queue: 'holdfast-canary', slots: 2, good: 2, bad: 0 });
  const { json } = await holdfast('list', '--queue', 'holdfast-canary', '--url', url, '--json');
  expect(json.tasks.map(({ state }: { state: string }) => state)).toEqual(['succeeded', 'succeeded']);
  const nobody = 'holdfast+plaintext://127.0.0.1:9';
  const bad = start(['canary', '--slots', '1', '--slot', '250ms', '--url', nobody]);
  expect([await bad.exit, bad.out]).toEqual([1, 'canary: slots=1 good=0 bad=1\n']);
  expect(bad.err).toContain('a slot of the canary was bad');
  const exporting = start(['canary', '--slots', '1', '--slot', '250ms', '--url', nobody], {
    env: { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9' },
  });
  expect(await exporting.exit, 'with an exporter, which ends the process with the verb').toBe(1);
  const none = await holdfast('canary', '--slots', '0', '--url', nobody);
  expect([none.code, none.err]).toEqual([2, expect.stringContaining('Write a whole number from 1 to 10000')]);
});

it('the canary refuses a store, a slot of no length and a port that is in use', async () => {
  const store = await holdfast('canary', '--url', 'file:./queue.db');
  expect([store.code, store.err]).toEqual([2, expect.stringContaining('this command calls a server')]);
  const url = ['--url', 'holdfast+plaintext://127.0.0.1:9'];
  const slot = await holdfast('canary', ...url, '--slot', '1ms');
  expect([slot.code, slot.err]).toEqual([
    2,
    expect.stringContaining('Write a length with its unit from 100ms to 1m'),
  ]);
  const { metricsPort } = await canary('holdfast+plaintext://127.0.0.1:9');
  const port = await holdfast('canary', ...url, '--metrics-port', String(metricsPort));
  expect([port.code, port.err]).toEqual([4, expect.stringContaining('is in use')]);
});
