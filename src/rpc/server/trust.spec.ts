import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { get as httpGet } from 'node:http';
import { get as httpsGet } from 'node:https';
import { connect as connectTls } from 'node:tls';
import { describe, expect, it } from 'vitest';
import { item } from '../../../test/fixtures/api-node.ts';
import {
  type ListeningNode,
  quickClock,
  recordingLog,
  startListeningNode,
  TestAuthority,
} from '../../../test/fixtures/listening-node.ts';
import { frame, rawSession } from '../../../test/fixtures/raw-grpc.ts';
import { show } from '../../certs/show.ts';
import type { Transport } from '../../client/transport.ts';
import type { HoldfastError } from '../../core/errors.ts';
import type { ReportResponse } from '../../core/messages.ts';
import type { CertificateFiles } from '../../tls/load.ts';
import { listen } from './listen.ts';

const batch = { tenant: '', queue: 'q', items: [item('a')] };
const submit = (client: Transport) => client.submit(batch, { timeoutMs: 5_000 });

/** Opens a Report stream and keeps it open. Resolves with the error that the stream ended with. */
function holdStream(client: Transport): Promise<HoldfastError | undefined> {
  return new Promise((resolve) => {
    const events = { message(_: ReportResponse) {}, end: resolve };
    const out = client.report(events);
    out.send({ kind: 'hello', sessionId: '', workerId: crypto.randomUUID(), tenant: '' });
  });
}

/** Returns the serial number of the certificate that the server presents to a new connection. */
function shownSerial(
  { listening: { grpcPort, httpPort } }: ListeningNode,
  which: 'grpc' | 'http',
): Promise<string> {
  const port = (which === 'grpc' ? grpcPort : httpPort) ?? 0;
  return new Promise((resolve, reject) => {
    const socket = connectTls(
      { port, host: '127.0.0.1', rejectUnauthorized: false, ALPNProtocols: ['h2'] },
      () => {
        resolve(socket.getPeerCertificate().serialNumber);
        socket.destroy();
      },
    );
    socket.on('error', reject);
  });
}

describe('the server’s certificate', () => {
  it('can be exchanged while the server runs, without cutting a stream', async () => {
    await using served = await startListeningNode();
    const client = await served.client();
    const held = holdStream(client);
    await submit(client);
    const before = await shownSerial(served, 'grpc');
    const { cert } = await served.authority.issue('server', 'server');
    expect(show(cert).serial).not.toBe(before);
    for (const which of ['grpc', 'http'] as const) {
      await expect.poll(() => shownSerial(served, which)).toBe(show(cert).serial);
    }
    await submit(client);
    const other = await served.client('bob');
    await submit(other);
    expect(await Promise.race([held, 'open'])).toBe('open');
  });

  it('stays in use while its files are invalid, and the server logs the problem', async () => {
    await using served = await startListeningNode();
    const before = await shownSerial(served, 'grpc');
    const other = await served.authority.issue('x', 'server');
    copyFileSync(other.key, `${served.authority.dir}/server.key`);
    const complaints = () =>
      served.lines.filter(({ level, message }) => level === 'error' && message.includes('stays in use'));
    await expect.poll(() => complaints().length).toBeGreaterThan(0);
    expect(complaints()[0]?.message).toContain('does not belong to the certificate');
    expect(await shownSerial(served, 'grpc')).toBe(before);
    // The files are read again every 25 ms in this test, but each of the two listeners logs the problem once.
    await served.clock.sleep(150);
    expect(complaints()).toHaveLength(2);
    copyFileSync(other.cert, `${served.authority.dir}/server.crt`);
    await expect.poll(() => shownSerial(served, 'grpc')).toBe(show(other.cert).serial);
  });
});

describe('a policy that changes while the server runs', () => {
  const everyone = { rules: [{ identity: '*' }] };

  it('cuts the streams and refuses the calls of a revoked certificate, and of no other', async () => {
    await using served = await startListeningNode({ policy: everyone });
    const tls = await served.authority.issue('mallory', 'client');
    const mallory = await served.client('mallory', { tls });
    const alice = await served.client('alice');
    const cut = holdStream(mallory);
    const held = holdStream(alice);
    await submit(mallory);
    await expect.poll(() => served.api.openStreams).toBe(2);
    served.policy({ ...everyone, revoked: { serials: [show(tls.cert).serial] } });
    expect(await cut).toMatchObject({ code: 'UNAUTHENTICATED', reason: 'CERTIFICATE_REFUSED' });
    await expect.poll(() => served.api.openStreams).toBe(1);
    await expect(submit(mallory)).rejects.toMatchObject({
      reason: 'CERTIFICATE_REFUSED',
      message: expect.stringContaining('revoked'),
    });
    await submit(alice);
    expect(await Promise.race([held, 'open'])).toBe('open');
  });

  it('cuts the streams of an identity whose permissions change', async () => {
    await using served = await startListeningNode({ policy: everyone });
    const client = await served.client('alice');
    const cut = holdStream(client);
    await submit(client);
    await expect.poll(() => served.api.openStreams).toBe(1);
    served.policy({ rules: [{ identity: '*', verbs: ['read'] }] });
    expect(await cut).toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringContaining('policy changed'),
    });
    await expect(submit(client)).rejects.toMatchObject({ code: 'PERMISSION_DENIED', reason: 'DENIED' });
  });

  it('refuses an identity that no rule matches', async () => {
    await using served = await startListeningNode({
      policy: { rules: [{ identity: 'spiffe://holdfast.dev/client/bob' }] },
    });
    await expect(submit(await served.client('alice'))).rejects.toMatchObject({
      code: 'PERMISSION_DENIED',
      message: expect.stringContaining('spiffe://holdfast.dev/client/alice'),
    });
    await submit(await served.client('bob'));
  });

  it('keeps its last valid content in force when the policy file becomes invalid', async () => {
    await using served = await startListeningNode({ policy: everyone });
    const client = await served.client('alice');
    served.policy('{');
    await expect
      .poll(() => served.lines.map(({ message }) => message))
      .toContainEqual(expect.stringContaining('the old policy stays in force'));
    await submit(client);
    await served.clock.sleep(150);
    expect(served.lines.filter(({ level }) => level === 'error')).toHaveLength(1);
  });
});

describe('a request that forges the identity header of a load balancer', () => {
  const getTask = '/holdfast.v1.TaskService/GetTask';
  const health = '/grpc.health.v1.Health/Check';
  const header = { 'x-amzn-mtls-clientcert-leaf': 'x' };

  it.each([false, true])(
    'is refused and counted on the gRPC listener and the HTTP listener (plaintext: %s)',
    async (plaintext) => {
      await using served = await startListeningNode({ plaintext });
      const tls = plaintext ? undefined : await served.authority.issue('alice', 'client');
      await using raw = await rawSession(served.address, tls);
      for (const [i, path] of [getTask, health, '/no.Such/Call'].entries()) {
        const name = i === 0 ? 'x-amzn-mtls-clientcert-subject' : 'x-amzn-mtls-anything';
        const { stream, status } = raw.call(path, { [name]: 'CN=admin' });
        stream.end(frame(new Uint8Array(0)));
        expect(await status, path).toMatchObject({
          code: 7,
          reason: 'DENIED',
          message: expect.stringContaining(name),
        });
      }
      expect(served.listening.forgedHeaders).toBe(3);
      const at = `127.0.0.1:${served.listening.httpPort}`;
      const paths = [getTask, health, '/healthz', '/nothing'];
      for (const path of paths) {
        const answer = await request(`http${plaintext ? '' : 's'}://${at}${path}`, header, tls);
        expect(answer, path).toMatchObject({
          status: 403,
          body: { code: 'permission_denied', reason: 'DENIED' },
        });
      }
      expect(served.listening.forgedHeaders).toBe(3 + paths.length);
      expect((await request(`http${plaintext ? '' : 's'}://${at}/healthz`, {}, tls)).status).toBe(200);
      expect(served.listening.headerRefusals).toEqual([
        { listener: 'grpc', forged: 3, certificate: 0, network: 0 },
        { listener: 'http', forged: paths.length, certificate: 0, network: 0 },
      ]);
    },
  );

  /** Makes a request over HTTP/1.1, since `fetch` takes no authority of its own. */
  function request(
    url: string,
    headers: Record<string, string>,
    tls: CertificateFiles | undefined,
  ): Promise<{ readonly status: number | undefined; readonly body: unknown }> {
    const ca = tls === undefined ? undefined : readFileSync(tls.ca);
    return new Promise((resolve, reject) => {
      const get = url.startsWith('https') ? httpsGet : httpGet;
      get(url, { ca, headers }, async (response) => {
        const text = Buffer.concat(await response.toArray()).toString();
        resolve({ status: response.statusCode, body: text.startsWith('{') ? JSON.parse(text) : text });
      }).on('error', reject);
    });
  }
});

describe('a server', () => {
  const base = async (served: ListeningNode) => ({
    api: served.api,
    clock: quickClock(),
    log: recordingLog(),
  });
  const plaintext = true as const;

  it('does not start on a port that is in use: the error names the port and what to do, and no port stays open', async () => {
    await using served = await startListeningNode({ plaintext: true });
    const usedPort = served.listening.httpPort ?? 0;
    const free = { host: '127.0.0.1', port: 0, plaintext };
    await expect(
      listen({ ...(await base(served)), grpc: free, http: { host: '127.0.0.1', port: usedPort, plaintext } }),
    ).rejects.toMatchObject({
      code: 'FAILED_PRECONDITION',
      reason: 'PORT_IN_USE',
      message: `The port ${usedPort} of 127.0.0.1 is in use.`,
      help: expect.stringContaining('Choose another port'),
    });
    await expect(
      listen({
        ...(await base(served)),
        grpc: { host: '127.0.0.1', port: served.listening.grpcPort, plaintext },
      }),
    ).rejects.toMatchObject({ reason: 'PORT_IN_USE' });
  });

  it('allows plaintext on a loopback address only', async () => {
    await using served = await startListeningNode({ plaintext: true });
    for (const host of ['0.0.0.0', '::', '192.168.1.2', 'queue.example']) {
      await expect(
        listen({ ...(await base(served)), grpc: { host, port: 0, plaintext } }),
      ).rejects.toMatchObject({
        reason: 'BAD_CONFIGURATION',
        message: expect.stringContaining('loopback'),
        help: expect.stringContaining('127.0.0.1'),
      });
    }
  });

  it('refuses an invalid certificate or policy before it opens a port', async () => {
    await using served = await startListeningNode({ plaintext: true });
    const authority = await TestAuthority.make();
    const tls = await authority.issue('s', 'server');
    writeFileSync(tls.key, 'x');
    const grpc = { host: '127.0.0.1', port: 0 };
    await expect(listen({ ...(await base(served)), grpc: { ...grpc, tls } })).rejects.toMatchObject({
      reason: 'BAD_CERTIFICATE',
      message: expect.stringContaining(tls.key),
    });
    const auth = { policyFile: tls.key };
    await expect(
      listen({ ...(await base(served)), grpc: { ...grpc, plaintext }, auth }),
    ).rejects.toMatchObject({ reason: 'BAD_CONFIGURATION' });
    authority.remove();
  });

  it('does not start on an address that the machine does not have, and says so', async () => {
    await using served = await startListeningNode({ plaintext: true });
    const authority = await TestAuthority.make();
    const tls = await authority.issue('s', 'server');
    await expect(
      listen({ ...(await base(served)), grpc: { host: '203.0.113.7', port: 0, tls } }),
    ).rejects.toMatchObject({
      reason: 'BAD_CONFIGURATION',
      message: expect.stringContaining('no such address'),
    });
    authority.remove();
  });

  it('ends every stream with DRAINING and closes every connection when it is closed', async () => {
    const served = await startListeningNode();
    const client = await served.client();
    const held = holdStream(client);
    await submit(client);
    await expect.poll(() => served.api.openStreams).toBe(1);
    await served.listening.close();
    expect(await held).toMatchObject({ code: 'UNAVAILABLE', reason: 'DRAINING' });
    await expect.poll(() => served.listening.connections).toBe(0);
    await expect(submit(client)).rejects.toMatchObject({ reason: 'UNREACHABLE' });
    await served[Symbol.asyncDispose]();
  });

  it('refuses new connections after drain, while open connections continue', async () => {
    await using served = await startListeningNode();
    const client = await served.client();
    await submit(client);
    served.listening.drain();
    await submit(client);
    const late = await served.client('late');
    await expect(submit(late)).rejects.toMatchObject({ reason: 'UNREACHABLE' });
  });
});
