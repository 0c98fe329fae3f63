/** Invalid certificates of the server and of clients, with a real server over mutual TLS. */
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { connect as connectTls } from 'node:tls';
import { create, toBinary } from '@bufbuild/protobuf';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { show } from '../../src/certs/show.ts';
import type { Client } from '../../src/index.ts';
import { GetTaskRequestSchema } from '../../src/rpc/gen/holdfast/v1/task_service_pb.ts';
import type { CertificateFiles } from '../../src/tls/load.ts';
import { type RawStatus, statusOf } from '../fixtures/raw-grpc.ts';
import { type Server, Site } from './bad-input-server.ts';
import { frame, http2, openGrpcStream } from './raw-client.ts';
import { acceptNotes, expectEndOnce } from './tasks.ts';

const day = 86_400_000;
const help = expect.stringMatching(/\w/);

let site: Site;
/** A second installation, whose certificates the first one does not trust. */
let foreignSite: Site;
let server: Server;
let client: Client;
let before: string[];
beforeAll(async () => {
  site = await Site.make();
  foreignSite = await Site.make();
  server = await site.serve();
  client = server.client();
  before = await acceptNotes(client, 10);
});
afterAll(async () => {
  await foreignSite[Symbol.asyncDispose]();
  await site[Symbol.asyncDispose]();
});

/** Writes a file that is no valid certificate, and returns its path. */
function writeGarbage(name: string): string {
  const file = `${site.dir}/${name}`;
  writeFileSync(file, '-----BEGIN CERTIFICATE-----\nbm8gY2VydGlmaWNhdGU=\n-----END CERTIFICATE-----\n');
  return file;
}

describe('a server does not start with', () => {
  const files: [string, (good: CertificateFiles) => Promise<Partial<CertificateFiles>>, RegExp][] = [
    ['no certificate at its path', async () => ({ cert: '/no/such.crt' }), /does not exist/],
    ['a damaged certificate', async () => ({ cert: writeGarbage('bad.crt') }), /damaged certificate/],
    ['a key of another certificate', async () => ({ key: site.clientFiles.key }), /does not belong/],
    [
      'an expired certificate',
      () => site.issue('old', 'server', { days: 1 }, Date.now() - 2 * day),
      /expired on/,
    ],
    [
      'a certificate that is not valid yet',
      () => site.issue('new', 'server', {}, Date.now() + 2 * day),
      /not valid before/,
    ],
    ['a certificate for clients', () => site.issue('bob', 'client'), /not issued for servers/],
  ];
  it.each(files)('%s', async (_, change, pattern) => {
    const tls = { ...site.serverFiles, ...(await change(site.serverFiles)) };
    const ended = await site.serveExpectingFailure({ tls, store: `${site.dir}/other.db` });
    expect(ended).toMatchObject({
      code: 2,
      error: {
        code: 'FAILED_PRECONDITION',
        reason: 'BAD_CERTIFICATE',
        message: expect.stringMatching(pattern),
        help,
      },
    });
  });
});

/** Calls GetTask with a raw client, which does not check its own certificate before it connects. */
async function callWith(tls: CertificateFiles): Promise<RawStatus> {
  const session = http2(server.grpcPort, tls);
  const stream = openGrpcStream(session, '/holdfast.v1.TaskService/GetTask');
  const pending = statusOf(stream);
  stream.end(frame(toBinary(GetTaskRequestSchema, create(GetTaskRequestSchema, { id: before[0] ?? '' }))));
  const response = await pending;
  session.destroy();
  return response;
}

describe('a client receives a sentence which says that its certificate', () => {
  const refused = 'CERTIFICATE_REFUSED';
  const expired = 'CERTIFICATE_EXPIRED';
  it.each<[string, () => Promise<CertificateFiles>, RegExp, string]>([
    [
      'has expired',
      () => site.issue('gone', 'client', { days: 1 }, Date.now() - 2 * day),
      /has expired/,
      expired,
    ],
    [
      'is not valid yet',
      () => site.issue('soon', 'client', {}, Date.now() + 2 * day),
      /not valid yet/,
      expired,
    ],
    [
      'comes from another authority',
      async () => foreignSite.clientFiles,
      /does not trust the authority/,
      refused,
    ],
    ['was issued for servers', () => site.issue('twin', 'server'), /not issued for clients/, refused],
  ])('%s', async (_, files, pattern, reason) => {
    const response = await callWith({ ...(await files()), ca: site.serverFiles.ca });
    expect(response).toMatchObject({
      code: 16,
      reason,
      message: expect.stringMatching(pattern),
    });
    const logged = () => server.lines().findLast((line) => line.reason === reason)?.msg;
    await expect.poll(logged).toMatch(pattern);
  });
});

describe('the command line exits with status', () => {
  const show = ['show', 'some-id'];
  it('6 if the server does not trust the authority of the client', async () => {
    const tls = { ...foreignSite.clientFiles, ca: site.serverFiles.ca };
    const refused = { code: 'UNAUTHENTICATED', reason: 'CERTIFICATE_REFUSED', help };
    expect(await server.cli(show, tls)).toMatchObject({ code: 6, error: refused });
  });

  it('6 if the client does not trust the authority of the server', async () => {
    const tls = { ...site.clientFiles, ca: foreignSite.serverFiles.ca };
    const refused = { code: 'UNAUTHENTICATED', reason: 'CERTIFICATE_REFUSED', help };
    expect(await server.cli(show, tls)).toMatchObject({ code: 6, error: refused });
  });

  it('2 if its own certificate is damaged', async () => {
    const tls = { ...site.clientFiles, cert: writeGarbage('mine.crt') };
    const refused = { code: 'FAILED_PRECONDITION', reason: 'BAD_CERTIFICATE', help };
    expect(await server.cli(show, tls)).toMatchObject({ code: 2, error: refused });
  });
});

/** Returns the serial number of the certificate that the server presents to a new connection. */
function presentedSerial(): Promise<string> {
  return new Promise((resolve, reject) => {
    const to = { port: server.grpcPort, host: '127.0.0.1', ca: readFileSync(site.serverFiles.ca) };
    const socket = connectTls({ ...to, ALPNProtocols: ['h2'] }, () => {
      resolve(socket.getPeerCertificate().serialNumber);
      socket.destroy();
    });
    socket.on('error', reject);
  });
}

describe('a server certificate that is replaced by a damaged file', () => {
  it('stays in use until a valid file replaces it, and each listener logs the problem', async () => {
    const { cert, key } = site.serverFiles;
    const first = await presentedSerial();
    const good = await site.issue('next', 'server');
    copyFileSync(writeGarbage('broken.crt'), cert);
    const kept = () => server.lines().filter(({ msg }) => msg.startsWith('the old certificate stays in use'));
    await expect.poll(() => kept().length, { interval: 50 }).toBe(2);
    expect(kept()[0]?.msg).toContain('damaged certificate');
    expect(await presentedSerial()).toBe(first);
    copyFileSync(good.key, key);
    copyFileSync(good.cert, cert);
    await expect.poll(presentedSerial, { interval: 100 }).toBe(show(good.cert).serial);
  });
});

it('after clients and the server had invalid certificates, the same server process runs each accepted task exactly once', async () => {
  await expectEndOnce(client, before);
  expect(() => process.kill(server.pid, 0)).not.toThrow();
});
