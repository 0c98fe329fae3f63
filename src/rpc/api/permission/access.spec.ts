import { describe, expect, it } from 'vitest';
import type { Identity } from '../api.ts';
import { requireQueue, requireVerb, tenantOf } from './access.ts';

const bob: Identity = { name: 'spiffe://x/bob', tenants: ['acme'], queues: ['mail'], verbs: ['read'] };

describe('the tenant of a call', () => {
  it('is the tenant that the request names', () => {
    expect(tenantOf({ ...bob, tenants: ['acme', 'beta'] }, 'beta')).toBe('beta');
    expect(tenantOf({ ...bob, tenants: [] }, 'any')).toBe('any');
  });

  it('is the identity’s only tenant if the request names none', () => {
    expect(tenantOf(bob, '')).toBe('acme');
  });

  it('is `default` if the request names none and the identity has no or several tenants', () => {
    expect(tenantOf({ ...bob, tenants: [] }, '')).toBe('default');
    expect(tenantOf({ ...bob, tenants: ['acme', 'default'] }, '')).toBe('default');
  });

  it('is refused if the identity may not use it', () => {
    expect(() => tenantOf(bob, 'beta')).toThrow("'spiffe://x/bob' may not use the tenant 'beta'.");
  });

  it('must be in the request if the identity has several tenants without `default`', () => {
    const several = { ...bob, tenants: ['acme', 'beta'] };
    expect(() => tenantOf(several, '')).toThrow(
      expect.objectContaining({ help: 'Name one of its tenants in the request: acme, beta.' }),
    );
  });
});

describe('a call', () => {
  it('without permission for its verb is refused with the identity, its verbs and how to get the missing verb', () => {
    expect(() => requireVerb(bob, 'read')).not.toThrow();
    expect(() => requireVerb(bob, 'admin')).toThrow(
      expect.objectContaining({
        code: 'PERMISSION_DENIED',
        reason: 'DENIED',
        message: "'spiffe://x/bob' may not admin (its verbs: read).",
        help: "The operator of the server can grant the verb 'admin' to 'spiffe://x/bob' in the policy file.",
      }),
    );
  });

  it('without permission for the queue is refused', () => {
    expect(() => requireQueue(bob, 'mail')).not.toThrow();
    expect(() => requireQueue({ ...bob, queues: [] }, 'media')).not.toThrow();
    expect(() => requireQueue(bob, 'media')).toThrow("'spiffe://x/bob' may not use the queue 'media'.");
  });
});
