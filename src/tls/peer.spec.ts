import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { item } from '../../test/fixtures/api-node.ts';
import { type ListeningNode, startListeningNode } from '../../test/fixtures/listening-node.ts';
import { openAuthority } from '../certs/authority.ts';
import { keyPem, newKeys, signing, x509 } from '../certs/x509.ts';
import type { CertificateFiles } from './load.ts';

/** Issues a client certificate by the server's authority, with a CN and no SPIFFE id. */
async function namedByCn(
  { authority: { dir } }: ListeningNode,
  cn: string,
  file: string,
): Promise<CertificateFiles> {
  const signer = await openAuthority(dir);
  const keys = await newKeys();
  const certificate = await x509.X509CertificateGenerator.create({
    subject: [{ CN: [cn] }],
    issuer: signer.certificate.subjectName,
    publicKey: keys.publicKey,
    signingKey: signer.key,
    signingAlgorithm: signing,
    extensions: [new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.clientAuth])],
  });
  const files = { ca: signer.certFile, cert: join(dir, `${file}.crt`), key: join(dir, `${file}.key`) };
  writeFileSync(files.cert, certificate.toString('pem'));
  writeFileSync(files.key, await keyPem(keys.privateKey));
  return files;
}

async function submitAs(node: ListeningNode, cn: string, file: string): Promise<unknown> {
  const client = await node.client('rig', { tls: await namedByCn(node, cn, file) });
  return client.submit({ tenant: '', queue: 'q', items: [item(file)] }, { timeoutMs: 5_000 });
}

it('the CN of a client certificate is its identity, unless the CN is a URI', async () => {
  const admin = 'spiffe://holdfast.dev/client/admin';
  await using served = await startListeningNode({
    policy: { rules: [{ identity: admin }, { identity: 'plain' }] },
  });
  await submitAs(served, 'plain', 'plain');
  for (const [i, cn] of [admin, `SPIFFE${admin.slice(6)}`, ` ${admin}`, 'https://plain'].entries()) {
    await expect(submitAs(served, cn, `evil-${i}`), cn).rejects.toMatchObject({
      code: 'UNAUTHENTICATED',
      reason: 'CERTIFICATE_REFUSED',
      message:
        'The client certificate has a URI as its CN; an identity URI must be a subject alternative name.',
    });
  }
});
