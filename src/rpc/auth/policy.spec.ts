import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { spiffeIds } from '../../tls/peer.ts';
import { openPolicy, type Policy } from './policy.ts';
import { readPolicy } from './read-policy.ts';

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'holdfast-policy-'));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

function policy(content: unknown): Policy {
  const file = join(dir, 'policy.json');
  writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content));
  return readPolicy(file);
}
const client = (name: string) => `spiffe://holdfast.dev/client/${name}`;
const peer = (name: string, serial = '0A') => ({ name: client(name), serial });

describe('a policy', () => {
  it('allows every identity everything if there is no policy file', () => {
    expect(openPolicy.authorize(peer('a'))).toEqual({
      name: client('a'),
      tenants: [],
      queues: [],
      verbs: ['submit', 'work', 'read', 'admin'],
    });
  });

  it('applies the first matching rule, and grants all tenants, queues or verbs if the rule does not list them', () => {
    const { authorize } = policy({
      rules: [
        { identity: client('billing-*'), tenants: ['acme'], queues: ['billing'], verbs: ['submit'] },
        { identity: client('*') },
        { identity: client('billing-eu'), verbs: ['admin'] },
      ],
    });
    expect(authorize(peer('billing-eu'))).toEqual({
      name: client('billing-eu'),
      tenants: ['acme'],
      queues: ['billing'],
      verbs: ['submit'],
    });
    expect(authorize(peer('other'))).toMatchObject({
      tenants: [],
      verbs: ['submit', 'work', 'read', 'admin'],
    });
  });

  it('matches whole identities; only * is a wildcard', () => {
    const { authorize } = policy({ rules: [{ identity: client('a.b') }] });
    expect(authorize(peer('a.b'))).toMatchObject({ name: client('a.b') });
    for (const name of ['axb', 'a.b2', '']) {
      expect(authorize(peer(name))).toMatchObject({ code: 'PERMISSION_DENIED', reason: 'DENIED' });
    }
    expect(authorize({ name: `x${client('a.b')}`, serial: '' })).toMatchObject({ reason: 'DENIED' });
  });

  it('refuses revoked identities, and revoked serial numbers of certificates in any notation', () => {
    const { authorize } = policy({
      rules: [{ identity: '*' }],
      revoked: { serials: ['00:0a:1B'], identities: [client('bad-*')] },
    });
    const refused = { code: 'UNAUTHENTICATED', reason: 'CERTIFICATE_REFUSED' };
    expect(authorize(peer('a', 'A1B'))).toMatchObject(refused);
    expect(authorize(peer('a', '0A1B'))).toMatchObject(refused);
    expect(authorize(peer('bad-one'))).toMatchObject(refused);
    expect(authorize(peer('a', 'A1B0'))).toMatchObject({ name: client('a') });
  });

  it.each([
    ['{', 'is not JSON'],
    ['{}', 'rules'],
    [{ rules: [{ identity: '*', verbs: ['fly'] }] }, 'rules.0.verbs.0'],
    [{ rules: [{ identity: '*', tenants: [] }] }, 'rules.0.tenants'],
    [{ rules: [{ identity: '*', queue: ['a'] }] }, 'queue'],
    [{ rules: [{ identity: '*', queues: ['a b'] }] }, 'rules.0.queues.0: may hold only A-Z'],
    [{ rules: [], revoked: { serials: ['zz'] } }, 'revoked.serials.0'],
  ])('with the content %j is refused with the name of its invalid field', (content, place) => {
    expect(() => policy(content)).toThrow(
      expect.objectContaining({
        reason: 'BAD_CONFIGURATION',
        message: expect.stringContaining(place),
        help: expect.stringContaining('rules'),
      }),
    );
  });

  it('is refused with an error that names the policy file if the file cannot be read', () => {
    expect(() => readPolicy(join(dir, 'none.json'))).toThrow(
      expect.objectContaining({ reason: 'BAD_CONFIGURATION', message: expect.stringContaining('none.json') }),
    );
  });
});

describe('the names in a certificate', () => {
  it('are its SPIFFE ids; a comma within a SPIFFE id does not separate two ids', () => {
    expect(spiffeIds('DNS:a, URI:spiffe://h/client/a, IP Address:1.2.3.4')).toEqual(['spiffe://h/client/a']);
    expect(spiffeIds('URI:https://x, DNS:spiffe://h/b')).toEqual([]);
    expect(spiffeIds('URI:"spiffe://h/a, URI:spiffe://h/admin"')).toEqual([
      'spiffe://h/a, URI:spiffe://h/admin',
    ]);
    expect(spiffeIds('DNS:"a, URI:spiffe://h/admin"')).toEqual([]);
    expect(spiffeIds('URI:spiffe://h/a, URI:spiffe://h/b')).toHaveLength(2);
  });
});
