/** Certificates that are wrong, at either side of a real server over mutual TLS. */
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { connect as connectTls } from 'node:tls';
import { create, toBinary } from '@bufbuild/protobuf';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { show } from '../../src/certs/show.ts';
import type { Client } from '../../src/index.ts';
import { GetTaskRequestSchema } from '../../src/rpc/gen/holdfast/v1/task_service_pb.ts';
import type { CertificateFiles } from '../../src/tls/load.ts';
import { type Server, Site } from './bad-input-server.ts';
import { type Answer, answerOf, frame, http2, open } from './raw.ts';
import { acceptNotes, expectEndOnce } from './tasks.ts';

const day = 86_400_000;
const help = expect.stringMatching(/\w/);

let site: Site;
let stranger: Site;
let server: Server;
let client: Client;
let before: string[];
beforeAll(async () => {
  site = await Site.make();
  stranger = await Site.make();
  server = await site.serve();
  client = server.client();
  before = await acceptNotes(client, 10);
});
afterAll(async () => {
  await stranger[Symbol.asyncDispose]();
  await site[Symbol.asyncDispose]();
});

function garbage(name: string): string {
  const file = `${site.dir}/${name}`;
  writeFileSync(file, '-----BEGIN CERTIFICATE-----\nbm8gY2VydGlmaWNhdGU=\n-----END CERTIFICATE-----\n');
  return file;
}

describe('a server does not start with', () => {
  const files: [string, (good: CertificateFiles) => Promise<Partial<CertificateFiles>>, RegExp][] = [
    ['no certificate at its path', async () => ({ cert: '/no/such.crt' }), /does not exist/],
    ['a certificate that is garbage', async () => ({ cert: garbage('bad.crt') }), /damaged certificate/],
    ['a key of another certificate', async () => ({ key: site.clientFiles.key }), /does not belong/],
    [
      'an expired certificate',
      () => site.issue('old', 'server', { days: 1 }, Date.now() - 2 * day),
      /expired on/,
    ],
    [
      'one that is not valid yet',
      () => site.issue('new', 'server', {}, Date.now() + 2 * day),
      /not valid before/,
    ],
    ['one that is for clients', () => site.issue('bob', 'client'), /not issued for servers/],
  ];
  it.each(files)('%s', async (_, change, told) => {
    const tls = { ...site.serverFiles, ...(await change(site.serverFiles)) };
    const ended = await site.refused({ tls, store: `${site.dir}/other.db` });
    expect(ended).toMatchObject({
      code: 2,
      error: {
        code: 'FAILED_PRECONDITION',
        reason: 'BAD_CERTIFICATE',
        message: expect.stringMatching(told),
        help,
      },
    });
  });
});

/** By a client that checks nothing itself. */
async function asked(tls: CertificateFiles): Promise<Answer> {
  const session = http2(server.grpcPort, tls);
  const stream = open(session, '/holdfast.v1.TaskService/GetTask');
  const answer = answerOf(stream);
  stream.end(frame(toBinary(GetTaskRequestSchema, create(GetTaskRequestSchema, { id: before[0] ?? '' }))));
  const found = await answer;
  session.destroy();
  return found;
}

describe('a client is told in a sentence that its certificate', () => {
  it.each<[string, () => Promise<CertificateFiles>, RegExp]>([
    ['has expired', () => site.issue('gone', 'client', { days: 1 }, Date.now() - 2 * day), /has expired/],
    ['comes from another authority', async () => stranger.clientFiles, /does not trust the authority/],
    ['is one for servers', () => site.issue('twin', 'server'), /not issued for clients/],
  ])('%s', async (_, files, told) => {
    const answer = await asked({ ...(await files()), ca: site.serverFiles.ca });
    expect(answer).toMatchObject({
      status: 16,
      reason: 'CERTIFICATE_REFUSED',
      message: expect.stringMatching(told),
    });
    const logged = () => server.lines().findLast((line) => line.reason === 'CERTIFICATE_REFUSED')?.msg;
    await expect.poll(logged).toMatch(told);
  });
});

describe('the command line ends with', () => {
  const show = ['show', 'some-id'];
  it('6 where the server does not know the authority of the client', async () => {
    const tls = { ...stranger.clientFiles, ca: site.serverFiles.ca };
    const refused = { code: 'UNAUTHENTICATED', reason: 'CERTIFICATE_REFUSED', help };
    expect(await server.cli(show, tls)).toMatchObject({ code: 6, error: refused });
  });

  it('6 where the client does not know the authority of the server', async () => {
    const tls = { ...site.clientFiles, ca: stranger.serverFiles.ca };
    const refused = { code: 'UNAUTHENTICATED', reason: 'CERTIFICATE_REFUSED', help };
    expect(await server.cli(show, tls)).toMatchObject({ code: 6, error: refused });
  });

  it('2 where a file of its own is garbage', async () => {
    const tls = { ...site.clientFiles, cert: garbage('mine.crt') };
    const refused = { code: 'FAILED_PRECONDITION', reason: 'BAD_CERTIFICATE', help };
    expect(await server.cli(show, tls)).toMatchObject({ code: 2, error: refused });
  });
});

/** The serial of the certificate that a new connection is shown. */
function shown(): Promise<string> {
  return new Promise((resolve, reject) => {
    const to = { port: server.grpcPort, host: '127.0.0.1', ca: readFileSync(site.serverFiles.ca) };
    const socket = connectTls({ ...to, ALPNProtocols: ['h2'] }, () => {
      resolve(socket.getPeerCertificate().serialNumber);
      socket.destroy();
    });
    socket.on('error', reject);
  });
}

describe('a certificate that is exchanged for a broken one', () => {
  it('stays in use, each listener says so, and a good one is taken up', async () => {
    const { cert, key } = site.serverFiles;
    const first = await shown();
    const good = await site.issue('next', 'server');
    copyFileSync(garbage('broken.crt'), cert);
    const kept = () => server.lines().filter(({ msg }) => msg.startsWith('the old certificate stays in use'));
    await expect.poll(() => kept().length, { timeout: 6_000, interval: 50 }).toBe(2);
    expect(kept()[0]?.msg).toContain('damaged certificate');
    expect(await shown()).toBe(first);
    copyFileSync(good.key, key);
    copyFileSync(good.cert, cert);
    await expect.poll(shown, { timeout: 6_000, interval: 100 }).toBe(show(good.cert).serial);
  });
});

it('after all of this, what was accepted before has ended once, in the same process', async () => {
  await expectEndOnce(client, before);
  expect(() => process.kill(server.pid, 0)).not.toThrow();
});
