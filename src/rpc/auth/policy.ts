/** Reads the policy file and authorizes peers by its rules. */
import { z } from 'zod';
import { HoldfastError } from '../../core/errors.ts';
import { name } from '../../core/rules.ts';
import type { Peer } from '../../tls/peer.ts';
import { readSource } from '../../tls/read-source.ts';
import type { Identity, Verb } from '../api/api.ts';

export const verbs: readonly Verb[] = ['submit', 'work', 'read', 'admin'];

const nameRule = name();
const validName = z.string().refine((value) => nameRule(value) === undefined, {
  error: ({ input }) => nameRule(String(input)),
});
const pattern = z.string().min(1).max(1_024);

const rule = z.strictObject({
  /**
   * The SPIFFE id or CN of the certificates to which this rule applies; `*` stands for any characters. The first rule
   * that matches applies.
   */
  identity: pattern,
  /** The tenants that the identity may use. Default: all tenants. */
  tenants: z.array(validName).min(1).optional(),
  /** The queues that the identity may use. Default: all queues. */
  queues: z.array(validName).min(1).optional(),
  /** The verbs that the identity may use. Default: all verbs. */
  verbs: z
    .array(z.enum(['submit', 'work', 'read', 'admin']))
    .min(1)
    .optional(),
});

const policyFile = z.strictObject({
  rules: z.array(rule),
  revoked: z
    .strictObject({
      /** Serial numbers of revoked certificates, in hexadecimal, as `holdfast certs show` prints them. */
      serials: z.array(z.string().regex(/^[0-9A-Fa-f:]+$/, 'must be hexadecimal')).default([]),
      /** Patterns of revoked identities, as in `rules`. Every certificate of such an identity is refused. */
      identities: z.array(pattern).default([]),
    })
    .default({ serials: [], identities: [] }),
});

/** The permissions of every authenticated client if there is no policy file: all tenants, all queues and all verbs. */
export const everything: Omit<Identity, 'name'> = { tenants: [], queues: [], verbs };

export interface Policy {
  /** Returns the peer's identity with its permissions, or an error with PERMISSION_DENIED or UNAUTHENTICATED. */
  authorize(peer: Peer): Identity | HoldfastError;
}

export const openPolicy: Policy = { authorize: ({ name: who }) => ({ ...everything, name: who }) };

/** Reads a policy file. Throws FAILED_PRECONDITION with BAD_CONFIGURATION, which names every invalid field. */
export function readPolicy(file: string): Policy {
  let json: unknown;
  try {
    json = JSON.parse(readSource(file).toString('utf8'));
  } catch (thrown) {
    const why = thrown instanceof SyntaxError ? 'is not JSON' : 'cannot be read';
    throw badPolicy(`The policy file '${file}' ${why}: ${(thrown as Error).message}.`, thrown);
  }
  const parsed = policyFile.safeParse(json);
  if (!parsed.success) {
    const problems = parsed.error.issues.map(
      ({ path, message }) => `${path.join('.') || 'the file'}: ${message}`,
    );
    throw badPolicy(`The policy file '${file}' is wrong: ${problems.join('; ')}.`, parsed.error);
  }
  return policyOf(parsed.data);
}

function badPolicy(message: string, cause: unknown): HoldfastError {
  return new HoldfastError('FAILED_PRECONDITION', 'BAD_CONFIGURATION', message, {
    cause,
    help: 'It is JSON: { "rules": [{ "identity": "spiffe://…/*", "tenants": […], "queues": […], "verbs": […] }], "revoked": { "serials": […], "identities": […] } }.',
  });
}

function policyOf({ rules, revoked }: z.infer<typeof policyFile>): Policy {
  const serials = new Set(revoked.serials.map(plainSerial));
  const revokedMatchers = revoked.identities.map(matcher);
  const ruleMatchers = rules.map((one) => ({ ...one, matches: matcher(one.identity) }));
  return {
    authorize(peer) {
      if (peer.serial !== '' && serials.has(plainSerial(peer.serial)))
        return revokedPeer(peer, 'certificate');
      if (revokedMatchers.some((matches) => matches(peer.name))) return revokedPeer(peer, 'identity');
      const found = ruleMatchers.find(({ matches }) => matches(peer.name));
      if (found === undefined) return unknownPeer(peer);
      return {
        name: peer.name,
        tenants: found.tenants ?? [],
        queues: found.queues ?? [],
        verbs: found.verbs ?? verbs,
      };
    },
  };
}

/** Removes colons and leading zeros from the serial number of a certificate: OpenSSL prints them, Node does not. */
function plainSerial(serial: string): string {
  return serial
    .replaceAll(':', '')
    .toUpperCase()
    .replace(/^0+(?=.)/, '');
}

function matcher(identity: string): (who: string) => boolean {
  const parts = identity.split('*').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  const whole = new RegExp(`^${parts.join('.*')}$`, 's');
  return (who) => whole.test(who);
}

function revokedPeer({ name: who }: Peer, what: string): HoldfastError {
  return new HoldfastError('UNAUTHENTICATED', 'CERTIFICATE_REFUSED', `The ${what} of '${who}' was revoked.`, {
    help: 'Ask the operator of the server for a new certificate.',
  });
}

function unknownPeer({ name: who }: Peer): HoldfastError {
  return new HoldfastError('PERMISSION_DENIED', 'DENIED', `No rule of the server’s policy names '${who}'.`, {
    help: 'Ask the operator of the server to add a rule for this identity to the policy file.',
  });
}
