import { describe, expect, it } from 'vitest';
import { requireQueue, requireVerb, tenantOf } from './access.ts';
import type { Identity } from './api.ts';

const bob: Identity = { name: 'spiffe://x/bob', tenants: ['acme'], queues: ['mail'], verbs: ['read'] };

describe('the tenant of a call', () => {
  it('is the one that was named', () => {
    expect(tenantOf({ ...bob, tenants: ['acme', 'beta'] }, 'beta')).toBe('beta');
    expect(tenantOf({ ...bob, tenants: [] }, 'any')).toBe('any');
  });

  it('is the identity’s only one where none was named', () => {
    expect(tenantOf(bob, '')).toBe('acme');
  });

  it('is `default` where there are none or several', () => {
    expect(tenantOf({ ...bob, tenants: [] }, '')).toBe('default');
    expect(tenantOf({ ...bob, tenants: ['acme', 'default'] }, '')).toBe('default');
  });

  it('may not be another’s', () => {
    expect(() => tenantOf(bob, 'beta')).toThrow("'spiffe://x/bob' may not use the tenant 'beta'.");
  });

  it('must be named by who has several', () => {
    const several = { ...bob, tenants: ['acme', 'beta'] };
    expect(() => tenantOf(several, '')).toThrow(
      expect.objectContaining({ help: 'Name one of its tenants in the request: acme, beta.' }),
    );
  });
});

describe('a call', () => {
  it('needs its verb, and says who lacks what and how to get it', () => {
    expect(() => requireVerb(bob, 'read')).not.toThrow();
    expect(() => requireVerb(bob, 'admin')).toThrow(
      expect.objectContaining({
        code: 'PERMISSION_DENIED',
        reason: 'DENIED',
        message: "'spiffe://x/bob' may not admin (its verbs: read).",
        help: "Whoever runs the server can grant the verb 'admin' to 'spiffe://x/bob' in the policy file.",
      }),
    );
  });

  it('needs its queue', () => {
    expect(() => requireQueue(bob, 'mail')).not.toThrow();
    expect(() => requireQueue({ ...bob, queues: [] }, 'media')).not.toThrow();
    expect(() => requireQueue(bob, 'media')).toThrow("'spiffe://x/bob' may not use the queue 'media'.");
  });
});
