import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type CertificateFiles, loadCertificates } from '../tls/load.ts';
import { initAuthority } from './authority.ts';
import { issue } from './issue.ts';
import { show } from './show.ts';

const nowMs = Date.now();
const day = 86_400_000;
let dir: string;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'holdfast-certs-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

describe('the development authority', () => {
  it('is created once and never overwritten', async () => {
    const first = await initAuthority(dir, nowMs);
    const pem = readFileSync(first.certFile, 'utf8');
    const second = await initAuthority(dir, nowMs);
    expect([first.created, second.created]).toEqual([true, false]);
    expect(readFileSync(second.certFile, 'utf8')).toBe(pem);
  });

  it('is refused if one of its two files is missing', async () => {
    const { keyFile, certFile } = await initAuthority(dir, nowMs);
    rmSync(keyFile);
    await expect(initAuthority(dir, nowMs)).rejects.toMatchObject({ reason: 'BAD_CERTIFICATE' });
    expect(readFileSync(certFile, 'utf8')).toContain('BEGIN CERTIFICATE');
  });

  it('writes files that only their owner may read', async () => {
    const authority = await initAuthority(dir, nowMs);
    const files = await issue(dir, { name: 'a', kind: 'client' }, nowMs);
    for (const file of [authority.certFile, authority.keyFile, files.cert, files.key]) {
      expect(statSync(file).mode & 0o777).toBe(0o600);
    }
  });

  it('signs a client certificate with a SPIFFE id and a server certificate with its host names', async () => {
    const { certFile } = await initAuthority(dir, nowMs);
    const client = await issue(dir, { name: 'billing', kind: 'client' }, nowMs);
    const server = await issue(
      dir,
      { name: 's', kind: 'server', hosts: ['q.example', '10.1.2.3'], days: 5 },
      nowMs,
    );
    expect(show(client.cert)).toMatchObject({
      subject: 'CN=billing',
      issuer: 'CN=Holdfast development CA',
      names: ['URI:spiffe://holdfast.dev/client/billing'],
      authority: false,
    });
    const shown = show(server.cert);
    expect(shown.names).toEqual(['DNS:q.example', 'IP Address:10.1.2.3']);
    expect(shown.serial).toMatch(/^[0-9A-F]{16,40}$/);
    expect(shown.fingerprint).toMatch(/^([0-9A-F]{2}:){31}[0-9A-F]{2}$/);
    expect(Math.round((shown.notAfterMs - nowMs) / day)).toBe(5);
    const authority = new X509Certificate(readFileSync(certFile));
    for (const file of [client.cert, server.cert]) {
      const certificate = new X509Certificate(readFileSync(file));
      expect(certificate.verify(authority.publicKey)).toBe(true);
      expect(certificate.checkIssued(authority)).toBe(true);
    }
  });

  it('gives two certificates of one name different serial numbers', async () => {
    await initAuthority(dir, nowMs);
    const one = show((await issue(dir, { name: 'a', kind: 'client' }, nowMs)).cert);
    const two = show((await issue(dir, { name: 'a', kind: 'client' }, nowMs)).cert);
    expect(two.serial).not.toBe(one.serial);
  });

  it.each([
    [{ name: 'ca', kind: 'client' }, 'name'],
    [{ name: '../up', kind: 'client' }, 'name'],
    [{ name: 'a'.repeat(65), kind: 'client' }, 'name'],
    [{ name: 'a', kind: 'server', hosts: ['not a host'] }, 'hosts'],
    [{ name: 'a', kind: 'client', hosts: ['h'] }, 'hosts'],
    [{ name: 'a', kind: 'server', days: 0 }, 'days'],
  ] as const)('refuses the certificate request %j because of its field %s', async (request, field) => {
    await initAuthority(dir, nowMs);
    await expect(issue(dir, request, nowMs)).rejects.toMatchObject({
      reason: 'BAD_FIELD',
      violations: [{ field }],
    });
  });

  it('must exist before a certificate is issued; the error otherwise names the command that makes it', async () => {
    await expect(issue(dir, { name: 'a', kind: 'client' }, nowMs)).rejects.toMatchObject({
      reason: 'BAD_CERTIFICATE',
      help: expect.stringContaining('holdfast certs init'),
    });
  });
});

describe('loading certificate files', () => {
  const load = async (other: Partial<CertificateFiles>, atMs = nowMs) => {
    await initAuthority(dir, nowMs);
    const files = await issue(dir, { name: 'a', kind: 'server' }, nowMs);
    return () => loadCertificates({ ...files, ...other }, atMs);
  };
  const bad = (message: string) =>
    expect.objectContaining({ reason: 'BAD_CERTIFICATE', message: expect.stringContaining(message) });

  it('accepts files that were issued together', async () => {
    const loaded = (await load({}))();
    expect(loaded.notAfterMs).toBeGreaterThan(nowMs + 364 * day);
  });

  it('refuses a missing file and names it in the error', async () => {
    const act = await load({ cert: join(dir, 'none.crt') });
    expect(act).toThrow(bad(`'${join(dir, 'none.crt')}' does not exist`));
  });

  it('refuses a file that is not PEM and names it in the error', async () => {
    const file = join(dir, 'text.crt');
    writeFileSync(file, 'hello');
    expect(await load({ ca: file })).toThrow(bad(`'${file}' holds no PEM certificate`));
    expect(await load({ key: file })).toThrow(bad(`'${file}' holds no PEM private key`));
  });

  it('refuses a file that holds a damaged certificate', async () => {
    const file = join(dir, 'damaged.crt');
    writeFileSync(file, '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n');
    expect(await load({ cert: file })).toThrow(bad('damaged certificate'));
  });

  it('refuses a key that does not belong to the certificate, and names both files in the error', async () => {
    await initAuthority(dir, nowMs);
    const other = await issue(dir, { name: 'b', kind: 'client' }, nowMs);
    expect(await load({ key: other.key })).toThrow(
      bad(`The key in '${other.key}' does not belong to the certificate in '${join(dir, 'a.crt')}'`),
    );
  });

  it('refuses a certificate that has expired, and one that is not valid yet', async () => {
    expect(await load({}, nowMs + 366 * day)).toThrow(bad('expired on'));
    expect(await load({}, nowMs - day)).toThrow(bad('is not valid before'));
  });
});
