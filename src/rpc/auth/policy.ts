/** Authorizes peers by the rules of a policy. */
import { HoldfastError } from '../../core/errors.ts';
import type { Peer } from '../../tls/peer.ts';
import type { Identity, Verb } from '../api/api.ts';

export const verbs: readonly Verb[] = ['submit', 'work', 'read', 'admin'];

/** The permissions of every authenticated client if there is no policy file: all tenants, all queues and all verbs. */
export const everything: Omit<Identity, 'name'> = { tenants: [], queues: [], verbs };

export interface Policy {
  /** Returns the peer's identity with its permissions, or an error with PERMISSION_DENIED or UNAUTHENTICATED. */
  authorize(peer: Peer): Identity | HoldfastError;
}

/** The content of a policy file. */
export interface PolicyRules {
  readonly rules: readonly {
    /**
     * The SPIFFE id or CN of the certificates to which this rule applies; `*` stands for any characters. The first rule
     * that matches applies.
     */
    readonly identity: string;
    /** The tenants that the identity may use. Default: all tenants. */
    readonly tenants?: readonly string[] | undefined;
    /** The queues that the identity may use. Default: all queues. */
    readonly queues?: readonly string[] | undefined;
    /** The verbs that the identity may use. Default: all verbs. */
    readonly verbs?: readonly Verb[] | undefined;
  }[];
  readonly revoked: {
    /** Serial numbers of revoked certificates, in hexadecimal, as `holdfast certs show` prints them. */
    readonly serials: readonly string[];
    /** Patterns of revoked identities, as in `rules`. Every certificate of such an identity is refused. */
    readonly identities: readonly string[];
  };
}

export const openPolicy: Policy = { authorize: ({ name: who }) => ({ ...everything, name: who }) };

export function policyOf({ rules, revoked }: PolicyRules): Policy {
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
