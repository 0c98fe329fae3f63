import { readFileSync, writeFileSync } from 'node:fs';
import type { AddressInfo, Server, Socket } from 'node:net';
import { createServer } from 'node:net';
import { createServer as createTlsServer, type TlsOptions } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { item } from '../../../test/fixtures/api-node.ts';
import { startBalancer } from '../../../test/fixtures/balancer.ts';
import { startListeningNode, TestAuthority } from '../../../test/fixtures/listening-node.ts';
import { systemClock } from '../../platform/clock.ts';
import type { Transport } from '../transport.ts';
import { connectionError } from './connection-errors.ts';
import { type GrpcOptions, grpcTransport } from './transport.ts';

const clock = systemClock();
const day = 86_400_000;
const submit = (client: Transport) =>
  client.submit({ tenant: '', queue: 'q', items: [item('a')] }, { timeoutMs: 10_000 });

let authority: TestAuthority;
let stranger: TestAuthority;
beforeAll(async () => {
  authority = await TestAuthority.make();
  stranger = await TestAuthority.make();
});
afterAll(() => {
  authority.remove();
  stranger.remove();
});

async function refusalOf(options: Omit<GrpcOptions, 'clock'>): Promise<unknown> {
  const client = grpcTransport({ ...options, clock });
  try {
    return await submit(client).then(
      () => 'accepted',
      (error: unknown) => error,
    );
  } finally {
    await client.close();
  }
}

async function listening(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Runs `use` against a TLS server that only performs the handshake, with these options. */
async function withTls<T>(options: TlsOptions, use: (address: string) => Promise<T>): Promise<T> {
  const server = createTlsServer({ ALPNProtocols: ['h2'], ...options }, (socket) =>
    socket.on('error', () => {}),
  );
  try {
    return await use(await listening(server));
  } finally {
    server.close();
  }
}

async function tlsOptions(
  name: string,
  more: Parameters<TestAuthority['issue']>[2] = {},
  nowMs = Date.now(),
) {
  const files = await authority.issue(name, 'server', more, nowMs);
  return { cert: readFileSync(files.cert), key: readFileSync(files.key), ca: readFileSync(files.ca) };
}

describe('a failed connection is reported with its cause', () => {
  it('when nothing listens at the address', async () => {
    const server = createServer();
    const address = await listening(server);
    await new Promise((resolve) => server.close(resolve));
    for (const plaintext of [true, undefined]) {
      const tls = plaintext ? undefined : await authority.issue('c', 'client');
      expect(await refusalOf({ address, plaintext, tls })).toMatchObject({
        code: 'UNAVAILABLE',
        reason: 'UNREACHABLE',
        message: `No Holdfast server answers at ${address}: nothing listens there.`,
        help: expect.stringContaining('holdfast dev'),
      });
    }
  });

  it('when the host name does not exist', async () => {
    expect(await refusalOf({ address: 'no-such-host.invalid:7433', plaintext: true })).toMatchObject({
      reason: 'UNREACHABLE',
      message: expect.stringContaining('no-such-host.invalid:7433'),
    });
  });

  it('when the client sent no certificate', async () => {
    await using served = await startListeningNode();
    const { ca } = await served.authority.issue('c', 'client');
    expect(await refusalOf({ address: served.address, tls: { ca } })).toMatchObject({
      code: 'UNAUTHENTICATED',
      reason: 'NO_CERTIFICATE',
      message: 'The server asks for a client certificate, and none was given.',
      help: expect.stringContaining('holdfast certs issue'),
    });
    expect(served.lines).toContainEqual(
      expect.objectContaining({
        level: 'warn',
        reason: 'NO_CERTIFICATE',
        peer: expect.stringMatching(/^127.0.0.1:\d+$/),
      }),
    );
  });

  it('when a TLS 1.2 or 1.3 server closes the connection because the client sent no certificate', async () => {
    const options = await tlsOptions('strict');
    for (const version of ['TLSv1.3', 'TLSv1.2'] as const) {
      const strict = {
        ...options,
        requestCert: true,
        rejectUnauthorized: true,
        minVersion: version,
        maxVersion: version,
      };
      const { ca } = await authority.issue('c', 'client');
      const error = await withTls(strict, (address) => refusalOf({ address, tls: { ca } }));
      expect(error).toMatchObject({ code: 'UNAUTHENTICATED' });
      if (version === 'TLSv1.3') expect(error).toMatchObject({ reason: 'NO_CERTIFICATE' });
    }
  });

  it("when the client's certificate comes from another authority", async () => {
    await using served = await startListeningNode();
    const own = await stranger.issue('mallory', 'client');
    const { ca } = await served.authority.issue('c', 'client');
    expect(await refusalOf({ address: served.address, tls: { ...own, ca } })).toMatchObject({
      code: 'UNAUTHENTICATED',
      reason: 'CERTIFICATE_REFUSED',
      message: expect.stringContaining('does not trust the authority that signed it'),
    });
    expect(served.lines).toContainEqual(expect.objectContaining({ reason: 'CERTIFICATE_REFUSED' }));
  });

  it("when a server closes the connection because the client's certificate comes from another authority", async () => {
    const strict = { ...(await tlsOptions('strict')), requestCert: true, rejectUnauthorized: true };
    const own = await stranger.issue('mallory', 'client');
    const { ca } = await authority.issue('c', 'client');
    expect(await withTls(strict, (address) => refusalOf({ address, tls: { ...own, ca } }))).toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringContaining("refuses this client's certificate"),
      help: expect.stringContaining('holdfast certs issue'),
    });
  });

  it.each([
    ['ERR_SSL_TLSV1_ALERT_UNKNOWN_CA', 'CERTIFICATE_REFUSED', 'unknown ca'],
    ['ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED', 'CERTIFICATE_EXPIRED', 'certificate expired'],
    ['ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE', 'CERTIFICATE_REFUSED', 'bad certificate'],
    ['ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED', 'NO_CERTIFICATE', 'asks for a client certificate'],
  ])('when the server sends the TLS alert %s', (code, reason, words) => {
    const error = connectionError('h:1', 'h', Object.assign(new Error('alert'), { code }));
    expect(error).toMatchObject({ code: 'UNAUTHENTICATED', reason, message: expect.stringContaining(words) });
  });

  it("when the client's certificate was issued for servers", async () => {
    await using served = await startListeningNode();
    const own = await served.authority.issue('other', 'server');
    expect(await refusalOf({ address: served.address, tls: own })).toMatchObject({
      reason: 'CERTIFICATE_REFUSED',
      message: expect.stringContaining('not issued for clients'),
    });
  });

  it("when the client does not trust the authority of the server's certificate", async () => {
    await using served = await startListeningNode();
    const own = await served.authority.issue('c', 'client');
    const { ca } = await stranger.issue('c', 'client');
    expect(await refusalOf({ address: served.address, tls: { ...own, ca } })).toMatchObject({
      code: 'UNAUTHENTICATED',
      reason: 'CERTIFICATE_REFUSED',
      message: expect.stringContaining('an authority that this client does not trust'),
      help: expect.stringContaining('ca.crt'),
    });
  });

  it("when the server's certificate has expired", async () => {
    const options = await tlsOptions('old', { days: 1 }, Date.now() - 2 * day);
    const own = await authority.issue('c', 'client');
    expect(await withTls(options, (address) => refusalOf({ address, tls: own }))).toMatchObject({
      reason: 'CERTIFICATE_EXPIRED',
      message: expect.stringContaining('has expired'),
      help: expect.stringContaining('holdfast certs issue'),
    });
  });

  it("when the server's certificate is for another host", async () => {
    await using served = await startListeningNode({ server: { hosts: ['queue.example'] } });
    const own = await served.authority.issue('c', 'client');
    expect(await refusalOf({ address: served.address, tls: own })).toMatchObject({
      reason: 'CERTIFICATE_REFUSED',
      message: expect.stringMatching(/not for '127\.0\.0\.1'.*queue|127\.0\.0\.1/),
    });
  });

  it('when the address is that of the HTTP port, with TLS and without', async () => {
    for (const plaintext of [undefined, true] as const) {
      await using served = await startListeningNode(plaintext === undefined ? {} : { plaintext });
      const tls = plaintext ? undefined : await served.authority.issue('c', 'client');
      const address = `127.0.0.1:${served.listening.httpPort}`;
      expect(await refusalOf({ address, tls, plaintext })).toMatchObject({
        code: 'UNAVAILABLE',
        reason: 'UNREACHABLE',
        message: expect.stringContaining('the server there speaks HTTP but not gRPC'),
        help: expect.stringContaining('Is that the HTTP port?'),
      });
    }
  });

  it('when only one side of the connection uses TLS', async () => {
    await using plain = await startListeningNode({ plaintext: true });
    const own = await authority.issue('c', 'client');
    expect(await refusalOf({ address: plain.address, tls: own })).toMatchObject({
      reason: 'UNREACHABLE',
      message: expect.stringMatching(/does not use TLS|closed the connection/),
    });
    await using served = await startListeningNode();
    expect(await refusalOf({ address: served.address, plaintext: true })).toMatchObject({
      reason: 'UNREACHABLE',
      message: expect.stringContaining('does not accept plaintext'),
    });
  });

  it.each([
    [
      'closes each connection at once',
      undefined,
      'it accepts the connection and closes it at once',
      'balancer',
    ],
    [
      'speaks another protocol',
      'SSH-2.0-OpenSSH_9.6\r\n',
      'the program there speaks another protocol',
      'port',
    ],
  ])('when a program listens there that %s', async (_, sent, why, help) => {
    const open = new Set<Socket>();
    const server = createServer((socket) => {
      open.add(socket.on('error', () => {}));
      if (sent === undefined) socket.destroy();
      else socket.write(sent);
    });
    const address = await listening(server);
    const error = await refusalOf({ address, plaintext: true });
    for (const socket of open) socket.destroy();
    server.close();
    expect(error).toMatchObject({
      reason: 'UNREACHABLE',
      message: `No Holdfast server answers at ${address}: ${why}.`,
      help: expect.stringContaining(help),
    });
  });

  it('when a balancer has no server behind it, over TLS too', async () => {
    const balancer = await startBalancer([1]);
    const tls = await authority.issue('c', 'client');
    for (const options of [{ plaintext: true }, { tls }]) {
      expect(await refusalOf({ address: balancer.address, ...options })).toMatchObject({
        reason: 'UNREACHABLE',
        message: expect.stringContaining('closes it at once'),
        help: expect.stringContaining('no running server behind it'),
      });
    }
    await balancer.close();
  });

  it('when a server that demands TLS and a certificate gets plaintext', async () => {
    const strict = { ...(await tlsOptions('strict')), requestCert: true, rejectUnauthorized: true };
    for (const version of ['TLSv1.3', 'TLSv1.2'] as const) {
      const options = { ...strict, minVersion: version, maxVersion: version };
      const error = await withTls(options, (address) => refusalOf({ address, plaintext: true }));
      expect(error).toMatchObject({ message: expect.stringContaining('does not accept plaintext') });
    }
  });

  it('when the options name neither certificates nor plaintext, or a malformed address', () => {
    expect(() => grpcTransport({ address: '127.0.0.1:1', clock })).toThrow(
      expect.objectContaining({ reason: 'BAD_CONFIGURATION' }),
    );
    for (const address of ['localhost', 'http://localhost:1', 'localhost:0', 'localhost:99999', '::1:7']) {
      expect(() => grpcTransport({ address, plaintext: true, clock })).toThrow(
        expect.objectContaining({ reason: 'BAD_FIELD' }),
      );
    }
  });

  it('and with the path of the file, when a certificate file cannot be used', async () => {
    const own = await authority.issue('c', 'client');
    const key = `${own.key}.bad`;
    writeFileSync(key, 'no key');
    expect(() => grpcTransport({ address: 'localhost:1', tls: { ...own, key }, clock })).toThrow(
      expect.objectContaining({ reason: 'BAD_CERTIFICATE', message: expect.stringContaining(key) }),
    );
  });
});

describe('a client whose certificate files are replaced', () => {
  it('loads the new certificate after a failed call', async () => {
    await using served = await startListeningNode();
    const tls = await served.authority.issue('c', 'client', { days: 1 });
    const own = await stranger.issue('c', 'client');
    const files = { ...tls, cert: `${tls.cert}.mine`, key: `${tls.key}.mine` };
    const install = (from: { cert: string; key: string }): void => {
      writeFileSync(files.key, readFileSync(from.key));
      writeFileSync(files.cert, readFileSync(from.cert));
    };
    install(own);
    const client = await served.client('c', { tls: files });
    await expect(submit(client)).rejects.toMatchObject({ reason: 'CERTIFICATE_REFUSED' });
    install(tls);
    await expect(submit(client)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await expect(submit(client)).resolves.toBeDefined();
  });

  it('keeps its certificate and repeats the call if only one of the two files was replaced at that moment', async () => {
    await using served = await startListeningNode();
    const tls = await served.authority.issue('c', 'client');
    const files = { ...tls, cert: `${tls.cert}.mine`, key: `${tls.key}.mine` };
    const install = (file: 'cert' | 'key', from: { cert: string; key: string }): void =>
      writeFileSync(files[file], readFileSync(from[file]));
    const own = await stranger.issue('c', 'client');
    install('key', own);
    install('cert', own);
    const client = await served.client('c', { tls: files });
    await expect(submit(client)).rejects.toMatchObject({ reason: 'CERTIFICATE_REFUSED' });
    install('key', tls);
    const half = await submit(client).catch((thrown: unknown) => thrown);
    expect(half).toMatchObject({
      code: 'UNAVAILABLE',
      retryable: true,
      message: expect.stringContaining('does not belong to the certificate'),
    });
    install('cert', tls);
    await expect(submit(client)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await expect(submit(client)).resolves.toBeDefined();
  });
});
