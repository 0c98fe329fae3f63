/** The development authority: a CA in a directory, for one machine or one team, not for public use. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { badCertificate, certificatesOf } from '../tls/load.ts';
import { keyFromPem, keyPem, newKeys, signing, x509 } from './x509.ts';

const day = 86_400_000;
const authorityDays = 3_650;
/** How far in the past a certificate's validity begins, for machines whose clocks are behind. */
export const backdateMs = 300_000;
/** The mode of the files of the authority and of issued certificates: only their owner may read and write them. */
export const privateMode = 0o600;

export interface Authority {
  readonly certFile: string;
  readonly keyFile: string;
  /** False if the authority existed before the call. */
  readonly created: boolean;
}

function pathsIn(dir: string): { readonly certFile: string; readonly keyFile: string } {
  return { certFile: join(dir, 'ca.crt'), keyFile: join(dir, 'ca.key') };
}

/**
 * Creates a CA (EC P-256, valid for ten years) in `dir`, if there is none. An existing CA is never overwritten, because
 * all certificates in use depend on it. Throws BAD_CERTIFICATE if only one of the CA's two files exists.
 */
export async function initAuthority(dir: string, nowMs: number): Promise<Authority> {
  const paths = pathsIn(dir);
  const there = [paths.certFile, paths.keyFile].filter((file) => existsSync(file));
  if (there.length === 2) return { ...paths, created: false };
  if (there.length === 1) {
    throw badCertificate(
      `The directory '${dir}' holds only '${there[0]}', one of the two files of an authority.`,
      'Restore the other file, or move this one away to make a new authority.',
    );
  }
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const keys = await newKeys();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: 'CN=Holdfast development CA',
    keys,
    signingAlgorithm: signing,
    notBefore: new Date(nowMs - backdateMs),
    notAfter: new Date(nowMs + authorityDays * day),
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  // With the flag `wx`, if two processes create an authority at once, one of them fails; otherwise the files
  // of two authorities would be mixed.
  writeFileSync(paths.keyFile, await keyPem(keys.privateKey), { mode: privateMode, flag: 'wx' });
  writeFileSync(paths.certFile, `${certificate.toString('pem')}\n`, { mode: privateMode, flag: 'wx' });
  return { ...paths, created: true };
}

export interface Signer {
  readonly certificate: x509.X509Certificate;
  readonly key: CryptoKey;
  readonly certFile: string;
}

export async function openAuthority(dir: string): Promise<Signer> {
  const { certFile, keyFile } = pathsIn(dir);
  if (!existsSync(certFile) || !existsSync(keyFile)) {
    throw badCertificate(
      `The directory '${dir}' holds no authority.`,
      'Make one with `holdfast certs init`, or name another directory.',
    );
  }
  const pem = readFileSync(certFile);
  certificatesOf(pem, certFile);
  try {
    const key = await keyFromPem(readFileSync(keyFile, 'utf8'));
    return { certificate: new x509.X509Certificate(pem.toString('utf8')), key, certFile };
  } catch (thrown) {
    const help = 'Restore the file that `holdfast certs init` made.';
    throw badCertificate(`The file '${keyFile}' holds no EC P-256 key.`, help, thrown);
  }
}
