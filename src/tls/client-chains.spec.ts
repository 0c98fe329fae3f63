/** Compares the verification of chains with that of OpenSSL in real handshakes, over authorities and clients of many kinds. */

import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { connect, createServer, type Server, type TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { keyPem, newKeys, signing, x509 } from '../certs/x509.ts';
import { loadX509, type X509Library } from './certificate-facts.ts';
import { ClientChains } from './client-chains.ts';

type Keys = Awaited<ReturnType<typeof newKeys>>;

interface Issued {
  readonly pem: string;
  readonly keys: Keys;
  readonly subject: string;
}

interface Request {
  readonly subject?: string;
  readonly by?: Issued;
  readonly extensions?: readonly x509.Extension[];
  readonly keys?: Keys;
  readonly days?: readonly [from: number, until: number];
  readonly algorithm?: object;
}

const day = 86_400_000;
const { BasicConstraintsExtension, ExtendedKeyUsageExtension, KeyUsagesExtension } = x509;
const { clientAuth, serverAuth } = x509.ExtendedKeyUsage;
const { digitalSignature, keyCertSign, keyEncipherment } = x509.KeyUsageFlags;
const forClients = new ExtendedKeyUsageExtension([clientAuth]);
const authority = (pathLength?: number) => [
  new BasicConstraintsExtension(true, pathLength, true),
  new KeyUsagesExtension(keyCertSign, true),
];

async function certificate(request: Request): Promise<Issued> {
  const { by, days = [-1, 30], algorithm = signing, extensions = [forClients] } = request;
  const keys = request.keys ?? (await newKeys());
  const subject = request.subject ?? `CN=${crypto.randomUUID()}`;
  const made = await x509.X509CertificateGenerator.create({
    ...{ subject, issuer: by?.subject ?? subject, publicKey: keys.publicKey },
    signingKey: (by?.keys ?? keys).privateKey,
    signingAlgorithm: algorithm as typeof signing,
    notBefore: new Date(Date.now() + days[0] * day),
    notAfter: new Date(Date.now() + days[1] * day),
    extensions: [...extensions],
  });
  return { pem: `${made.toString('pem')}\n`, keys, subject };
}

const rsa = (modulusLength: number): Promise<Keys> =>
  crypto.subtle.generateKey(
    { name: 'RSASSA-PKCS1-v1_5', modulusLength, publicExponent: new Uint8Array([1, 0, 1]), hash: 'SHA-256' },
    true,
    ['sign', 'verify'],
  );

interface Case {
  readonly client: Issued;
  readonly authorities: readonly Issued[];
}

const root = () => certificate({ extensions: authority() });

async function below(levels: readonly Request[], client: Request = {}): Promise<Case> {
  const authorities = [await root()];
  for (const level of levels)
    authorities.push(
      await certificate({ extensions: authority(), by: authorities.at(-1) as Issued, ...level }),
    );
  return { client: await certificate({ by: authorities.at(-1) as Issued, ...client }), authorities };
}

const unknownExtension = (critical: boolean) =>
  new x509.Extension('1.3.6.1.4.1.99999.1', critical, new Uint8Array([5, 0]));

/** Cases whose certificates OpenSSL accepts. */
const accepted: Readonly<Record<string, () => Promise<Case>>> = {
  'a client of a root': () => below([]),
  'a client two authorities below a root': () => below([{}, {}]),
  'a client without extensions': () => below([], { extensions: [] }),
  'a client for signatures': () =>
    below([], { extensions: [forClients, new KeyUsagesExtension(digitalSignature, true)] }),
  'a client with an unknown extension that is not critical': () =>
    below([], { extensions: [forClients, unknownExtension(false)] }),
  'a client for clients and servers': () =>
    below([], { extensions: [new ExtendedKeyUsageExtension([serverAuth, clientAuth])] }),
  'a client with an RSA key': async () => below([], { keys: await rsa(2_048) }),
  'a client below an authority that allows no other below it': () => below([{ extensions: authority(0) }]),
  'a client below an authority for clients': () => below([{ extensions: [...authority(), forClients] }]),
  async 'a client of the younger of two authorities with one name'() {
    const named = async () => {
      const keys = await newKeys();
      const id = await x509.SubjectKeyIdentifierExtension.create(keys.publicKey);
      return certificate({ subject: 'CN=authority', keys, extensions: [...authority(), id] });
    };
    const [old, young] = [await named(), await named()];
    const id = await x509.AuthorityKeyIdentifierExtension.create(young.keys.publicKey);
    return {
      client: await certificate({ by: young, extensions: [forClients, id] }),
      authorities: [old, young],
    };
  },
  async 'a self-signed certificate that is its own authority'() {
    const own = await certificate({});
    return { client: own, authorities: [own] };
  },
};

/** Cases whose certificates OpenSSL refuses, and the code by which this verification refuses them. */
const refused: Readonly<Record<string, readonly [code: string, make: () => Promise<Case>]>> = {
  'an expired client': ['CERT_HAS_EXPIRED', () => below([], { days: [-9, -1] })],
  'a client that is not valid yet': ['CERT_NOT_YET_VALID', () => below([], { days: [1, 9] })],
  'a client below an expired authority': ['CERT_HAS_EXPIRED', () => below([{ days: [-9, -1] }])],
  'a certificate for servers': [
    'INVALID_PURPOSE',
    () => below([], { extensions: [new ExtendedKeyUsageExtension([serverAuth])] }),
  ],
  'a certificate for encryption alone': [
    'INVALID_PURPOSE',
    () => below([], { extensions: [new KeyUsagesExtension(keyEncipherment, true)] }),
  ],
  'a client below an authority for servers': [
    'INVALID_PURPOSE',
    () => below([{ extensions: [...authority(), new ExtendedKeyUsageExtension([serverAuth])] }]),
  ],
  'a client with a critical extension that nobody knows': [
    'UNHANDLED_CRITICAL_EXTENSION',
    () => below([], { extensions: [forClients, unknownExtension(true)] }),
  ],
  'a client of an authority that is not in the file': [
    'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
    async () => ({ client: (await below([])).client, authorities: [await root()] }),
  ],
  'a client below an authority whose root is not in the file': [
    'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
    async () => {
      const { client, authorities } = await below([{}]);
      return { client, authorities: authorities.slice(1) };
    },
  ],
  'a client whose authority is not in the file, but its root': [
    'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
    async () => {
      const { client, authorities } = await below([{}]);
      return { client, authorities: authorities.slice(0, 1) };
    },
  ],
  'a self-signed certificate': [
    'DEPTH_ZERO_SELF_SIGNED_CERT',
    async () => ({ client: await certificate({}), authorities: [await root()] }),
  ],
  'a client that another client signed': [
    'INVALID_CA',
    () => below([{ extensions: [new BasicConstraintsExtension(false, undefined, true)] }]),
  ],
  'a client that a certificate without constraints signed': ['INVALID_CA', () => below([{ extensions: [] }])],
  'a client below more authorities than one of them allows': [
    'PATH_LENGTH_EXCEEDED',
    () => below([{ extensions: authority(0) }, {}]),
  ],
  'a client with a key of RSA that is too short': [
    'EE_KEY_TOO_SMALL',
    async () => below([], { keys: await rsa(1_024) }),
  ],
  'a client whose signature is another authority’s of the same name': [
    'CERT_SIGNATURE_FAILURE',
    async () => {
      const known = await certificate({ subject: 'CN=authority', extensions: authority() });
      const other = await certificate({ subject: 'CN=authority', extensions: authority() });
      return { client: await certificate({ by: other }), authorities: [known] };
    },
  ],
};

let library: X509Library;
let server: Server;
beforeAll(async () => {
  library = await loadX509();
  const { pem, keys } = await certificate({});
  server = createServer({
    cert: pem,
    key: await keyPem(keys.privateKey),
    requestCert: true,
    rejectUnauthorized: false,
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterAll(() => {
  server.close();
});

/** Returns the code by which OpenSSL refuses the client in a handshake, or undefined if it accepts the client. */
async function byHandshake({ client, authorities }: Case): Promise<string | undefined> {
  server.setSecureContext({
    ...(await own),
    ca: authorities.map(({ pem }) => pem),
  });
  const accepting = once(server, 'secureConnection') as Promise<[TLSSocket]>;
  const socket = connect({
    ...{ port: (server.address() as AddressInfo).port, host: '127.0.0.1', rejectUnauthorized: false },
    ...{ cert: client.pem, key: await keyPem(client.keys.privateKey), ciphers: 'DEFAULT:@SECLEVEL=0' },
  });
  socket.on('error', () => {});
  const [accepted] = await accepting;
  const { authorized, authorizationError } = accepted;
  accepted.destroy();
  socket.destroy();
  return authorized ? undefined : String(authorizationError);
}

const own = certificate({}).then(async ({ pem, keys }) => ({
  cert: pem,
  key: await keyPem(keys.privateKey),
}));

function byChains({ client, authorities }: Case): string | undefined {
  const roots = authorities.map(({ pem }) => new X509Certificate(pem));
  const found = new ClientChains(roots, library).verify(new X509Certificate(client.pem), Date.now());
  return typeof found === 'string' ? found : undefined;
}

describe('the verification of a client’s chain', () => {
  it.each(Object.keys(accepted))('accepts %s, as OpenSSL does', async (name) => {
    const one = await (accepted[name] as () => Promise<Case>)();
    expect([byChains(one), await byHandshake(one)]).toEqual([undefined, undefined]);
  });

  it.each(Object.keys(refused))('refuses %s, as OpenSSL does', async (name) => {
    const [code, make] = refused[name] as readonly [string, () => Promise<Case>];
    const one = await make();
    expect(byChains(one)).toBe(code);
    // OpenSSL's codes for some faults are less precise.
    expect(await byHandshake(one)).toMatch(/^[A-Z_]+$/);
  });

  it('refuses a chain with constraints of names, which it does not evaluate', async () => {
    const constraints = new x509.Extension('2.5.29.30', false, new Uint8Array([0x30, 0]));
    const one = await below([{ extensions: [...authority(), constraints] }]);
    expect(byChains(one)).toBe('SUBTREE_MINMAX');
  });

  it('refuses signatures of SHA-1', async () => {
    const keys = await crypto.subtle.generateKey(
      {
        name: 'RSASSA-PKCS1-v1_5',
        modulusLength: 2_048,
        publicExponent: new Uint8Array([1, 0, 1]),
        hash: 'SHA-1',
      },
      true,
      ['sign', 'verify'],
    );
    const top = await certificate({
      keys,
      extensions: authority(),
      algorithm: { name: keys.publicKey.algorithm.name, hash: 'SHA-1' },
    });
    const client = await certificate({ by: top, algorithm: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-1' } });
    expect(byChains({ client, authorities: [top] })).toBe('CA_MD_TOO_WEAK');
  });

  it('returns the time in which the whole chain is valid', async () => {
    const { client, authorities } = await below([{ days: [-2, 5] }], { days: [-1, 30] });
    const found = new ClientChains(
      authorities.map(({ pem }) => new X509Certificate(pem)),
      library,
    ).verify(new X509Certificate(client.pem), Date.now());
    expect(found).toEqual({ fromMs: expect.any(Number), untilMs: expect.any(Number) });
    if (typeof found === 'string') return;
    expect(Math.round((found.fromMs - Date.now()) / day)).toBe(-1);
    expect(Math.round((found.untilMs - Date.now()) / day)).toBe(5);
  });
});
