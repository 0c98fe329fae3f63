/** Expired certificates of servers and workers, which an operator renews while both run. */
import { connect as connectTls } from 'node:tls';
import { describe, expect, it } from 'vitest';
import { createClient } from '../../src/client/create-client.ts';
import type { Logger } from '../../src/client/log.ts';
import { HoldfastError, type Reason } from '../../src/core/errors.ts';
import { defineTask, defineWorker, handle, typed } from '../../src/index.ts';
import { startBalancer } from '../fixtures/balancer.ts';
import { type ListeningNode, startListeningNode } from '../fixtures/listening-node.ts';
import { startClientServer } from './client-server.ts';

const job = defineTask('job', { input: typed<{ ms: number }>(), output: typed<number>() });
const day = 86_400_000;

function refusal(reason: Reason): HoldfastError {
  return new HoldfastError('UNAUTHENTICATED', reason, 'refused by the test');
}

describe('on virtual time', () => {
  /** Starts a worker, and breaks its connection with an error of this reason from then on. */
  async function workerCutWith(reason: Reason) {
    const it = await startClientServer();
    const sleeps = handle(job, async ({ ms }) => {
      await it.clock.sleep(ms);
      return ms;
    });
    const running = await it.client.work(defineWorker({ handlers: [sleeps] }));
    const task = await it.client.submit(job, { ms: 5_000 });
    await it.advance(1_000);
    it.transport.failure = refusal(reason);
    it.transport.unreachable = true;
    it.transport.cut('work');
    it.transport.cut('report');
    return { ...it, running, task };
  }

  it('a worker that was welcomed tries again while a certificate has expired, logs it, and keeps its running task', async () => {
    const { advance, until, lines, transport, task, running } = await workerCutWith('CERTIFICATE_EXPIRED');
    await advance(10_000);
    expect(lines).toContainEqual(
      expect.objectContaining({
        level: 'warn',
        fields: expect.objectContaining({ reason: 'CERTIFICATE_EXPIRED' }),
      }),
    );
    transport.unreachable = false;
    expect(await until(task.result())).toBe(5_000);
    expect((await task.status()).attempt).toBe(1);
    await until(running.drain());
    await running.done;
  });

  it('a worker that was welcomed ends when its certificate is refused for another reason', async () => {
    const { until, running } = await workerCutWith('CERTIFICATE_REFUSED');
    await expect(until(running.done)).rejects.toMatchObject({ reason: 'CERTIFICATE_REFUSED' });
  });

  it('a worker that connects for the first time ends with the error', async () => {
    const { client, transport, until } = await startClientServer();
    transport.failure = refusal('CERTIFICATE_EXPIRED');
    transport.unreachable = true;
    const running = await client.work(defineWorker({ handlers: [handle(job, ({ ms }) => ms)] }));
    await expect(until(running.done)).rejects.toMatchObject({ reason: 'CERTIFICATE_EXPIRED' });
  });

  it('a caller that waits for a task goes on waiting, and every other call fails at once', async () => {
    const { client, transport, clock, advance, until, another } = await startClientServer();
    const task = await client.submit(job, { ms: 1 });
    transport.failure = refusal('CERTIFICATE_EXPIRED');
    transport.unreachable = true;
    const result = task.result();
    result.catch(() => {});
    await advance(20_000);
    const fromMs = clock.monotonic();
    await expect(until(client.submit(job, { ms: 1 }))).rejects.toMatchObject({
      reason: 'CERTIFICATE_EXPIRED',
    });
    await expect(until(task.status())).rejects.toMatchObject({ reason: 'CERTIFICATE_EXPIRED' });
    expect(clock.monotonic() - fromMs).toBeLessThan(1_000);
    transport.unreachable = false;
    await another().client.work(defineWorker({ handlers: [handle(job, ({ ms }) => ms)] }));
    expect(await until(result)).toBe(1);
  });
});

/** Resolves once the server shows the certificate with this time of expiry to new connections. */
async function shown({ listening: { grpcPort: port } }: ListeningNode, expiresAtMs: number): Promise<void> {
  const expiry = (): Promise<number> =>
    new Promise((resolve, reject) => {
      const to = { port, host: '127.0.0.1', rejectUnauthorized: false, ALPNProtocols: ['h2'] };
      const socket = connectTls(to, () => {
        resolve(Date.parse(socket.getPeerCertificate().valid_to));
        socket.destroy();
      });
      socket.on('error', reject);
    });
  await expect.poll(expiry).toBe(expiresAtMs);
}

it('a worker over TLS is back after the certificate of its server has expired and been renewed', async () => {
  await using served = await startListeningNode();
  const balancer = await startBalancer([served.listening.grpcPort]);
  const expiresAtMs = Math.ceil(Date.now() / 1_000) * 1_000 + 2_000;
  await served.authority.issue('server', 'server', { days: 1 }, expiresAtMs - day);
  await shown(served, expiresAtMs);
  const reasons: unknown[] = [];
  const record = (fields: object | string): unknown => reasons.push((fields as { reason?: unknown }).reason);
  const log: Logger = { debug: record, info: record, warn: record, error: record };
  const transport = await served.client('alice', { address: balancer.address });
  const client = createClient(transport, { clock: served.clock, log });
  const spec = defineWorker({ handlers: [handle(job, ({ ms }) => ms)] });
  const running = await client.work(spec);
  expect(await (await client.submit(job, { ms: 1 })).result()).toBe(1);
  await served.clock.sleep(expiresAtMs + 1_100 - Date.now());
  balancer.cut();
  await expect.poll(() => reasons, { timeout: 10_000 }).toContain('CERTIFICATE_EXPIRED');
  await expect(client.submit(job, { ms: 2 })).rejects.toMatchObject({ reason: 'CERTIFICATE_EXPIRED' });
  const late = await client.work(spec);
  await expect(late.done).rejects.toMatchObject({ reason: 'CERTIFICATE_EXPIRED' });
  await served.authority.issue('server', 'server');
  const submitted = () =>
    client.submit(job, { ms: 3 }).then(
      (task) => task.result(),
      (error: HoldfastError) => error.reason,
    );
  await expect.poll(submitted, { timeout: 10_000, interval: 100 }).toBe(3);
  await running.drain();
  await running.done;
  await balancer.close();
}, 30_000);
