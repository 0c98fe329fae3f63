import { readFileSync, writeFileSync } from 'node:fs';
import { expect, it, onTestFinished } from 'vitest';
import { encodeLeaf } from '../../test/fixtures/leaf-header.ts';
import { recordingLog, TestAuthority } from '../../test/fixtures/listening-node.ts';
import { show } from '../certs/show.ts';
import { HoldfastError } from '../core/errors.ts';
import { type VirtualClock, virtualClock } from '../testing/virtual-clock.ts';
import { ForwardedCertificates } from './forwarded-certificates.ts';

async function opened() {
  const clock = virtualClock();
  const authority = await TestAuthority.make(clock.now());
  const log = recordingLog();
  const file = `${authority.dir}/ca.crt`;
  const certificates = await ForwardedCertificates.open(file, { clock, log });
  onTestFinished(() => {
    certificates.stop();
    authority.remove();
  });
  const pem = async (name: string, days?: number) =>
    readFileSync((await authority.issue(name, 'client', { days }, clock.now())).cert, 'latin1');
  return { certificates, clock, authority, file, log, pem };
}

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

async function advance(clock: VirtualClock, ms: number): Promise<void> {
  for (let left = ms; left > 0; left -= hourMs) await clock.advance(Math.min(left, hourMs));
}

it('a certificate in a header names the peer that it names in a handshake', async () => {
  const { certificates, authority, clock } = await opened();
  const { cert } = await authority.issue('alice', 'client', {}, clock.now());
  const value = encodeLeaf(readFileSync(cert, 'latin1'));
  expect(value).toMatch(/^-----BEGIN%20CERTIFICATE-----%0A[A-Za-z0-9+/=%]+-----END%20CERTIFICATE-----%0A$/);
  expect(certificates.peerOf(value)).toMatchObject({
    peer: { name: 'spiffe://holdfast.dev/client/alice', serial: show(cert).serial.replaceAll(':', '') },
  });
});

it('a certificate whose every character is percent-encoded is read too, since other encoders write it so', async () => {
  const { certificates, pem } = await opened();
  const value = encodeURIComponent((await pem('alice')).replaceAll('\n', '\r\n'));
  expect(certificates.peerOf(value)).toMatchObject({ peer: { name: 'spiffe://holdfast.dev/client/alice' } });
});

it('a certificate that was verified before is refused once it has expired', async () => {
  const { certificates, clock, pem } = await opened();
  const value = encodeLeaf(await pem('alice', 1));
  expect(certificates.peerOf(value)).not.toBeInstanceOf(HoldfastError);
  await advance(clock, dayMs - hourMs);
  expect(certificates.peerOf(value)).not.toBeInstanceOf(HoldfastError);
  await advance(clock, 2 * hourMs);
  expect(certificates.peerOf(value)).toMatchObject({
    reason: 'CERTIFICATE_EXPIRED',
    message: expect.stringContaining('expired'),
  });
});

it('a file of authorities that becomes wrong changes nothing, and is logged', async () => {
  const { certificates, clock, file, log, pem } = await opened();
  const value = encodeLeaf(await pem('alice'));
  const before = readFileSync(file, 'utf8');
  writeFileSync(file, 'no certificate');
  await clock.advance(10_000);
  expect(certificates.peerOf(value)).not.toBeInstanceOf(HoldfastError);
  expect(log.lines).toEqual([
    expect.objectContaining({
      level: 'error',
      message: expect.stringContaining('the old authorities stay in use'),
    }),
  ]);
  writeFileSync(file, `${before}\n`);
  await clock.advance(10_000);
  expect(certificates.peerOf(value)).not.toBeInstanceOf(HoldfastError);
});
