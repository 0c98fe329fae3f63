import type { CertificateFiles } from '../../../src/tls/load.ts';
import { canaryTenant, fuzzTenant } from './messages.ts';

/** The identities of the run: `stranger` has no certificate, each of the others has the verbs of its name. */
export const identityNames = ['stranger', 'reader', 'submitter', 'worker', 'admin'] as const;
export type IdentityName = (typeof identityNames)[number];

/** The certificate files of a client: without `cert` and `key` it is a stranger. */
export type ClientFiles = Pick<CertificateFiles, 'ca'> & Partial<CertificateFiles>;

/** The addresses and the certificate files with which a server is fuzzed. */
export interface Target {
  readonly address: string;
  readonly httpAddress: string;
  readonly clients: Readonly<Record<IdentityName, ClientFiles>>;
}

const verbsOf = { reader: ['read'], submitter: ['submit'], worker: ['work'], admin: undefined } as const;

/** The identity of the probes, whose tenant no fuzzed call can reach. */
export const canaryName = 'prober';

/** The policy file of the fuzzed servers. */
export const policy = {
  rules: [
    { identity: `*${canaryName}`, tenants: [canaryTenant] },
    ...Object.entries(verbsOf).map(([name, verbs]) => ({
      identity: `*${name}`,
      tenants: [fuzzTenant, 'other'],
      verbs,
    })),
  ],
};

/** Issues the certificates of all identities, by the given function. */
export async function issueClients(
  issue: (name: string) => Promise<CertificateFiles>,
): Promise<Target['clients'] & { readonly canary: CertificateFiles }> {
  const [canary, reader, submitter, worker, admin] = (await Promise.all(
    [canaryName, 'reader', 'submitter', 'worker', 'admin'].map(issue),
  )) as [CertificateFiles, CertificateFiles, CertificateFiles, CertificateFiles, CertificateFiles];
  return { stranger: { ca: canary.ca }, reader, submitter, worker, admin, canary };
}
