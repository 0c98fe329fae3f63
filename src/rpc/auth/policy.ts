/** Who may do what: the policy file, and the judgement of a peer by it. */
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { HoldfastError } from '../../core/errors.ts';
import type { Peer } from '../../tls/peer.ts';
import type { Identity, Verb } from '../api/api.ts';

export const verbs: readonly Verb[] = ['submit', 'work', 'read', 'admin'];

const name = z.string().regex(/^[A-Za-z0-9._-]{1,64}$/, "must be 1 to 64 of letters, digits, '.', '_', '-'");
const pattern = z.string().min(1).max(1_024);

const rule = z.strictObject({
  /** A SPIFFE id or a CN; `*` stands for any characters. The first rule that fits counts. */
  identity: pattern,
  /** Left out: every one. */
  tenants: z.array(name).min(1).optional(),
  queues: z.array(name).min(1).optional(),
  verbs: z
    .array(z.enum(['submit', 'work', 'read', 'admin']))
    .min(1)
    .optional(),
});

const policyFile = z.strictObject({
  rules: z.array(rule),
  revoked: z
    .strictObject({
      /** Hexadecimal, as `holdfast certs show` prints them. */
      serials: z.array(z.string().regex(/^[0-9A-Fa-f:]+$/, 'must be hexadecimal')).default([]),
      /** As in rules. */
      identities: z.array(pattern).default([]),
    })
    .default({ serials: [], identities: [] }),
});

/** What every identity that the authority signed may do where no policy is given: everything. */
export const everything: Omit<Identity, 'name'> = { tenants: [], queues: [], verbs };

export interface Policy {
  /** What the peer may, or PERMISSION_DENIED, UNAUTHENTICATED. */
  judge(peer: Peer): Identity | HoldfastError;
}

export const openPolicy: Policy = { judge: ({ name: who }) => ({ ...everything, name: who }) };

/** Throws FAILED_PRECONDITION, BAD_CONFIGURATION with every place that is wrong. */
export function readPolicy(file: string): Policy {
  let json: unknown;
  try {
    json = JSON.parse(readFileSync(file, 'utf8'));
  } catch (thrown) {
    const why = thrown instanceof SyntaxError ? 'is not JSON' : 'cannot be read';
    throw badPolicy(`The policy file '${file}' ${why}: ${(thrown as Error).message}.`, thrown);
  }
  const parsed = policyFile.safeParse(json);
  if (!parsed.success) {
    const told = parsed.error.issues.map(
      ({ path, message }) => `${path.join('.') || 'the file'}: ${message}`,
    );
    throw badPolicy(`The policy file '${file}' is wrong: ${told.join('; ')}.`, parsed.error);
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
  const gone = revoked.identities.map(matcher);
  const known = rules.map((one) => ({ ...one, fits: matcher(one.identity) }));
  return {
    judge(peer) {
      if (peer.serial !== '' && serials.has(plainSerial(peer.serial)))
        return revokedPeer(peer, 'certificate');
      if (gone.some((fits) => fits(peer.name))) return revokedPeer(peer, 'identity');
      const found = known.find(({ fits }) => fits(peer.name));
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

/** OpenSSL prints serials with colons and with leading zeros, Node without. */
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
    help: 'Ask whoever runs the server for a new certificate.',
  });
}

function unknownPeer({ name: who }: Peer): HoldfastError {
  return new HoldfastError('PERMISSION_DENIED', 'DENIED', `No rule of the server’s policy names '${who}'.`, {
    help: 'Ask whoever runs the server to add a rule for this identity to its policy file.',
  });
}
