import { once } from 'node:events';
import { copyFileSync, readFileSync } from 'node:fs';
import { connect as connectTcp } from 'node:net';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { encodeLeaf, leafHeader, leafHeaders } from '../../../../test/fixtures/leaf-header.ts';
import {
  type ListeningNode,
  type ListeningNodeOptions,
  startListeningNode,
  TestAuthority,
} from '../../../../test/fixtures/listening-node.ts';
import { frame, type RawSession, type RawStatus, rawSession } from '../../../../test/fixtures/raw-grpc.ts';
import { show } from '../../../certs/show.ts';
import { encodeReportRequest } from '../../../core/codec/report.ts';
import { limits } from '../../../core/limits.ts';
import type { CertificateFiles } from '../../../tls/load.ts';
import { listen } from '../listen.ts';

const listQueues = '/holdfast.v1.AdminService/ListQueues';
const getTask = '/holdfast.v1.TaskService/GetTask';
const check = '/grpc.health.v1.Health/Check';
const reflection = '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo';
const nothing = frame(new Uint8Array(0));

const aliceMayRead = {
  rules: [
    { identity: 'spiffe://holdfast.dev/client/alice', verbs: ['read'] },
    { identity: 'spiffe://holdfast.dev/client/*' },
  ],
};

async function start(options: ListeningNodeOptions = {}): Promise<ListeningNode> {
  const served = await startListeningNode({ alb: {}, ...options });
  onTestFinished(() => served[Symbol.asyncDispose]());
  return served;
}

/** Connects as the load balancer does: to its listener, without a certificate. */
async function balancer({ listening, authority }: ListeningNode, from = '127.0.0.1'): Promise<RawSession> {
  const raw = await rawSession(`127.0.0.1:${listening.albPort}`, { ca: `${authority.dir}/ca.crt` }, from);
  onTestFinished(() => raw.session.destroy());
  return raw;
}

/** Makes a unary call with an empty message. */
function call(raw: RawSession, path: string, headers: Record<string, string> = {}): Promise<RawStatus> {
  const { stream, status } = raw.call(path, headers);
  stream.end(nothing);
  return status;
}

/** Opens a Report stream and keeps it open. Resolves with a promise of the status that ends it. */
async function hold(
  { api }: ListeningNode,
  raw: RawSession,
  files: CertificateFiles,
): Promise<{ readonly ended: Promise<RawStatus> }> {
  const before = api.openStreams;
  const { stream, status } = raw.call('/holdfast.v1.WorkerService/Report', leafHeaders(files));
  stream.write(frame(encodeReportRequest({ kind: 'hello', sessionId: '', workerId: 'w', tenant: '' })));
  stream.on('end', () => stream.end());
  await expect.poll(() => api.openStreams).toBe(before + 1);
  return { ended: status };
}

describe('a call that the load balancer passes on', () => {
  it('is that of the client in its header, with the permissions of this client', async () => {
    const served = await start({ policy: aliceMayRead });
    const raw = await balancer(served);
    const alice = leafHeaders(await served.authority.issue('alice', 'client'));
    const bob = leafHeaders(await served.authority.issue('bob', 'client'));
    expect(await call(raw, listQueues, alice)).toMatchObject({ code: 0 });
    const pause = '/holdfast.v1.AdminService/PauseQueue';
    expect(await call(raw, pause, alice)).toMatchObject({
      code: 7,
      reason: 'DENIED',
      message: expect.stringContaining('client/alice'),
    });
    // Bob's call comes by the same connection, and is refused for its empty name alone.
    expect(await call(raw, pause, bob)).toMatchObject({ code: 3, reason: 'BAD_FIELD' });
  });

  it('has its identity from its own header, whatever addresses other headers name', async () => {
    const served = await start();
    const raw = await balancer(served);
    const files = await served.authority.issue('alice', 'client');
    const headers = {
      ...leafHeaders(files),
      'x-forwarded-for': '203.0.113.9',
      'x-amzn-mtls-clientcert-subject': 'CN=bob',
    };
    expect(await call(raw, listQueues, headers)).toMatchObject({ code: 0 });
  });

  it('is served without TLS if the load balancer speaks h2c', async () => {
    const served = await start({ alb: { isPlaintext: true } });
    const raw = await rawSession(`127.0.0.1:${served.listening.albPort}`);
    onTestFinished(() => raw.session.destroy());
    const files = await served.authority.issue('alice', 'client');
    expect(await call(raw, listQueues, leafHeaders(files))).toMatchObject({ code: 0 });
    expect(await call(raw, listQueues)).toMatchObject({ code: 16, reason: 'NO_CERTIFICATE' });
  });
});

describe('the certificate in the header of a load balancer', () => {
  type Make = (served: ListeningNode) => Promise<Record<string, string>>;
  const pemOf = (files: CertificateFiles): string => readFileSync(files.cert, 'latin1');
  const alice = async (served: ListeningNode) => pemOf(await served.authority.issue('alice', 'client'));

  const wrong: Readonly<Record<string, readonly [message: string, make: Make]>> = {
    'has expired': [
      'it has expired',
      async ({ authority }) => {
        const before = Date.now() - 40 * 86_400_000;
        return leafHeaders(await authority.issue('old', 'client', { days: 1 }, before));
      },
    ],
    'is for servers': [
      'it was not issued for clients',
      async ({ authority }) => leafHeaders(await authority.issue('x', 'server')),
    ],
    'comes from another authority': [
      'does not trust the authority',
      async () => {
        const other = await TestAuthority.make();
        onTestFinished(() => other.remove());
        return leafHeaders(await other.issue('alice', 'client'));
      },
    ],
    'has a changed byte': [
      'is refused',
      async (served) => {
        const pem = await alice(served);
        const at = pem.length - 60;
        const changed = pem[at] === 'A' ? 'B' : 'A';
        return { [leafHeader]: encodeLeaf(pem.slice(0, at) + changed + pem.slice(at + 1)) };
      },
    ],
    'is no certificate': ['cannot be read', async () => ({ [leafHeader]: encodeLeaf('alice') })],
    'is empty': ['cannot be read', async () => ({ [leafHeader]: '' })],
    'is cut': [
      'cannot be read',
      async (served) => ({ [leafHeader]: encodeLeaf(await alice(served)).slice(0, 300) }),
    ],
    'is encoded wrongly': [
      'cannot be read',
      async (served) => ({ [leafHeader]: `${encodeLeaf(await alice(served))}%E0%A4%A` }),
    ],
    'had its plus signs replaced by spaces': [
      'cannot be read',
      async (served) => ({ [leafHeader]: encodeLeaf(`${await alice(served)}`.replace(/\n(.)/, '\n $1')) }),
    ],
    'is followed by another one': [
      'cannot be read',
      async (served) => {
        const admin = await served.authority.issue('admin', 'client');
        return { [leafHeader]: encodeLeaf((await alice(served)) + pemOf(admin)) };
      },
    ],
    'is too long': [
      'more than 16,384 characters',
      async (served) => {
        const padded = encodeLeaf(await alice(served)) + '%0A'.repeat(limits.forwardedCertificateChars / 3);
        return { [leafHeader]: padded };
      },
    ],
    'is a chain that was not verified': [
      'has not verified',
      async (served) => ({ 'x-amzn-mtls-clientcert': encodeLeaf(await alice(served)) }),
    ],
    'is described and not given': [
      "has the header 'x-amzn-mtls-clientcert-subject' and not",
      async () => ({ 'x-amzn-mtls-clientcert-subject': 'CN=alice' }),
    ],
  };

  it.each(Object.keys(wrong))('is refused and counted if it %s, also for a health check', async (name) => {
    const [message, make] = wrong[name] as readonly [string, Make];
    const served = await start();
    const raw = await balancer(served);
    const headers = await make(served);
    for (const path of [listQueues, check]) {
      expect(await call(raw, path, headers)).toMatchObject({
        code: 16,
        reason: name === 'has expired' ? 'CERTIFICATE_EXPIRED' : 'CERTIFICATE_REFUSED',
        message: expect.stringContaining(message),
      });
    }
    expect(served.listening.headerRefusals).toContainEqual({
      listener: 'alb',
      forged: 0,
      certificate: 2,
      network: 0,
    });
    // The connection goes on for the other clients.
    const bob = leafHeaders(await served.authority.issue('bob', 'client'));
    expect(await call(raw, listQueues, bob)).toMatchObject({ code: 0 });
  });

  it('is refused if there are two', async () => {
    const served = await start();
    const raw = await balancer(served);
    const [one, two] = [
      leafHeaders(await served.authority.issue('alice', 'client')),
      leafHeaders(await served.authority.issue('admin', 'client')),
    ];
    const both = [one[leafHeader], two[leafHeader]] as unknown as string;
    expect(await call(raw, listQueues, { [leafHeader]: both })).toMatchObject({
      code: 16,
      reason: 'CERTIFICATE_REFUSED',
      message: expect.stringContaining('more than once'),
    });
  });

  it('is refused if the policy revokes it, by its serial number or its identity', async () => {
    const files = async ({ authority }: ListeningNode) => authority.issue('mallory', 'client');
    const served = await start({ policy: { rules: [{ identity: '*' }] } });
    const raw = await balancer(served);
    const mallory = await files(served);
    expect(await call(raw, listQueues, leafHeaders(mallory))).toMatchObject({ code: 0 });
    for (const revoked of [
      { serials: [show(mallory.cert).serial] },
      { identities: ['spiffe://holdfast.dev/client/mallory'] },
    ]) {
      served.policy({ rules: [{ identity: '*' }], revoked });
      await expect
        .poll(() => call(raw, listQueues, leafHeaders(mallory)))
        .toMatchObject({
          code: 16,
          reason: 'CERTIFICATE_REFUSED',
          message: expect.stringContaining('revoked'),
        });
      served.policy({ rules: [{ identity: '*' }] });
      await expect.poll(() => call(raw, listQueues, leafHeaders(mallory))).toMatchObject({ code: 0 });
    }
  });

  it('is verified by the new authorities once their file has changed', async () => {
    const served = await start();
    const raw = await balancer(served);
    const before = leafHeaders(await served.authority.issue('alice', 'client'));
    expect(await call(raw, listQueues, before)).toMatchObject({ code: 0 });
    const other = await TestAuthority.make();
    onTestFinished(() => other.remove());
    const after = leafHeaders(await other.issue('alice', 'client'));
    copyFileSync(`${other.dir}/ca.crt`, `${served.authority.dir}/ca.crt`);
    await expect.poll(() => call(raw, listQueues, after)).toMatchObject({ code: 0 });
    expect(await call(raw, listQueues, before)).toMatchObject({ code: 16, reason: 'CERTIFICATE_REFUSED' });
  });
});

describe('a policy that changes while a load balancer passes on calls', () => {
  it('cuts the streams of a revoked client, and not those of another client on the same connection', async () => {
    const everyone = { rules: [{ identity: '*' }] };
    const served = await start({ policy: everyone });
    const raw = await balancer(served);
    const mallory = await served.authority.issue('mallory', 'client');
    const cut = await hold(served, raw, mallory);
    const kept = await hold(served, raw, await served.authority.issue('alice', 'client'));
    served.policy({ ...everyone, revoked: { serials: [show(mallory.cert).serial] } });
    expect(await cut.ended).toMatchObject({ code: 16, reason: 'CERTIFICATE_REFUSED' });
    expect(await Promise.race([kept.ended, served.clock.sleep(1_000)])).toBeUndefined();
    expect(served.listening.connections).toBe(1);
  });

  it('cuts the streams of a client whose permissions change', async () => {
    const served = await start({ policy: { rules: [{ identity: '*' }] } });
    const raw = await balancer(served);
    const cut = await hold(served, raw, await served.authority.issue('alice', 'client'));
    served.policy({ rules: [{ identity: '*', verbs: ['read'] }] });
    expect(await cut.ended).toMatchObject({ code: 14, message: expect.stringContaining('policy changed') });
  });
});

describe('a call without a certificate on the listener for a load balancer', () => {
  it('is answered if it is a health check, and refused otherwise, also by reflection', async () => {
    const served = await start({ policy: aliceMayRead });
    const raw = await balancer(served);
    expect(await call(raw, check)).toMatchObject({ code: 0 });
    for (const path of [listQueues, getTask, reflection, '/grpc.health.v2.Health/Check', '/no.Such/Call'])
      expect(await call(raw, path), path).toMatchObject({ code: 16, reason: 'NO_CERTIFICATE' });
    expect(served.lines).toContainEqual(
      expect.objectContaining({ level: 'warn', listener: 'alb', reason: 'NO_CERTIFICATE' }),
    );
  });

  it('has no more than a stranger elsewhere: a health check has a small message', async () => {
    const served = await start();
    const raw = await balancer(served);
    const { stream, status } = raw.call(check);
    stream.write(frame(new Uint8Array(64), limits.strangerMessageBytes + 1));
    expect(await status).toMatchObject({ code: 8, reason: 'TOO_LARGE' });
  });

  it('has no more than a stranger elsewhere: health checks of one address that never end have a share', async () => {
    const served = await start();
    const raw = await balancer(served);
    const most = Math.floor(limits.receivingBytesPerAddress / limits.callBytes);
    const open = Array.from({ length: most + 1 }, () => raw.call(check).status);
    expect(await Promise.race(open)).toMatchObject({ code: 8, reason: 'TOO_MANY_CALLS' });
    const alice = leafHeaders(await served.authority.issue('alice', 'client'));
    expect(await call(raw, listQueues, alice)).toMatchObject({ code: 0 });
  });
});

describe('a connection from a network that is not the load balancer’s', () => {
  it('is closed before its handshake and counted, whatever its headers claim', async () => {
    const served = await start();
    const socket = connectTcp({
      port: served.listening.albPort ?? 0,
      host: '127.0.0.1',
      localAddress: '127.0.0.2',
    });
    socket.on('error', () => {});
    socket.write('x');
    await once(socket, 'close');
    expect(socket.bytesRead).toBe(0);
    const headers = {
      ...leafHeaders(await served.authority.issue('alice', 'client')),
      'x-forwarded-for': '127.0.0.1',
    };
    const forger = await balancer(served, '127.0.0.2');
    expect(forger.session.destroyed || forger.session.closed).toBe(true);
    expect(await forger.call(listQueues, headers).status).toMatchObject({
      http: Number.NaN,
      code: Number.NaN,
    });
    const { headerRefusals } = served.listening;
    expect(headerRefusals).toContainEqual({ listener: 'alb', forged: 0, certificate: 0, network: 2 });
    expect(served.lines).toContainEqual(
      expect.objectContaining({ level: 'warn', message: expect.stringContaining('--alb-from') }),
    );
  });

  it('is served once its network is among those of the load balancer', async () => {
    const served = await start({ alb: { networks: ['10.0.0.0/8', '127.0.0.2/32'] } });
    const headers = leafHeaders(await served.authority.issue('alice', 'client'));
    const raw = await balancer(served, '127.0.0.2');
    expect(await call(raw, listQueues, headers)).toMatchObject({ code: 0 });
    expect((await balancer(served)).session.destroyed).toBe(true);
  });
});

describe('the connections of a load balancer', () => {
  it('are limited by their address, and a further one is closed', async () => {
    const most = { ...limits, connections: 10, connectionsPerIdentity: 2, connectionReserve: 3 };
    const served = await start({ bounds: { connections: most } });
    const open = [await balancer(served), await balancer(served)];
    const further = await balancer(served);
    await expect.poll(() => further.session.destroyed).toBe(true);
    for (const raw of open) expect(await call(raw, check)).toMatchObject({ code: 0 });
  });

  it('stay open although one of their clients repeats refused calls, and serve the others', async () => {
    const served = await start();
    const raw = await balancer(served);
    const headers = leafHeaders(await served.authority.issue('alice', 'client'));
    const other = { [leafHeader]: 'x' };
    const refused = Array.from({ length: 1_500 }, () => call(raw, listQueues, other));
    expect(await call(raw, listQueues, headers)).toMatchObject({ code: 0 });
    await Promise.all(refused);
    expect(await call(raw, listQueues, headers)).toMatchObject({ code: 0 });
    expect(served.listening.connections).toBe(1);
  });
});

describe('a server with a listener for a load balancer', () => {
  let served: ListeningNode;
  beforeEach(async () => {
    served = await startListeningNode({ alb: {} });
  });
  afterEach(() => served[Symbol.asyncDispose]());

  it('ends its streams with DRAINING and closes its connections when it is closed', async () => {
    const raw = await balancer(served);
    const held = await hold(served, raw, await served.authority.issue('alice', 'client'));
    await served.listening.close();
    expect(await held.ended).toMatchObject({ code: 14, reason: 'DRAINING' });
    await expect.poll(() => served.listening.connections).toBe(0);
  });

  it('does not start with networks or certificates that cannot be used, and opens no port', async () => {
    const tls = await served.authority.issue('s', 'server');
    const base = {
      api: served.api,
      clock: served.clock,
      log: { debug() {}, info() {}, warn() {}, error() {} },
    };
    const grpc = { host: '127.0.0.1', port: 0, plaintext: true } as const;
    const alb = { host: '127.0.0.1', port: served.listening.albPort ?? 0, networks: ['127.0.0.1/32'], tls };
    await expect(listen({ ...base, grpc, alb })).rejects.toMatchObject({ reason: 'PORT_IN_USE' });
    await expect(listen({ ...base, grpc, alb: { ...alb, networks: ['0.0.0.0/0'] } })).rejects.toThrow(
      'every address',
    );
    await expect(
      listen({ ...base, grpc, alb: { ...alb, tls: { ...tls, ca: '/nowhere' } } }),
    ).rejects.toMatchObject({ reason: 'BAD_CERTIFICATE' });
  });
});
