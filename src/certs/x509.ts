/**
 * Sets up the x509 library with reflect-metadata and Web Crypto, which it needs before its first use. Other files
 * import the library from this file.
 */
import 'reflect-metadata';
import * as x509 from '@peculiar/x509';

x509.cryptoProvider.set(globalThis.crypto);

/** The curve of all keys. P-256 is fast, has small keys, and every TLS client supports it. */
export const curve = { name: 'ECDSA', namedCurve: 'P-256' } as const;
export const signing = { name: 'ECDSA', hash: 'SHA-256' } as const;

type Keys = Parameters<typeof x509.X509CertificateGenerator.createSelfSigned>[0]['keys'];

export async function newKeys(): Promise<Keys> {
  return await globalThis.crypto.subtle.generateKey(curve, true, ['sign', 'verify']);
}

export async function keyPem(key: CryptoKey): Promise<string> {
  const bytes = await globalThis.crypto.subtle.exportKey('pkcs8', key);
  return `${x509.PemConverter.encode(bytes, 'PRIVATE KEY')}\n`;
}

export async function keyFromPem(pem: string): Promise<CryptoKey> {
  const [bytes] = x509.PemConverter.decode(pem);
  if (bytes === undefined) throw new TypeError('no PEM block');
  return await globalThis.crypto.subtle.importKey('pkcs8', bytes, curve, false, ['sign']);
}

export { x509 };
