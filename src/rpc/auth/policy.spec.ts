import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { spiffeIds } from '../../tls/peer.ts';
import { openPolicy, type Policy, readPolicy } from './policy.ts';

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
  it('that is not there lets every identity do everything', () => {
    expect(openPolicy.judge(peer('a'))).toEqual({
      name: client('a'),
      tenants: [],
      queues: [],
      verbs: ['submit', 'work', 'read', 'admin'],
    });
  });

  it('grants what its first fitting rule says, and everything that the rule leaves out', () => {
    const { judge } = policy({
      rules: [
        { identity: client('billing-*'), tenants: ['acme'], queues: ['billing'], verbs: ['submit'] },
        { identity: client('*') },
        { identity: client('billing-eu'), verbs: ['admin'] },
      ],
    });
    expect(judge(peer('billing-eu'))).toEqual({
      name: client('billing-eu'),
      tenants: ['acme'],
      queues: ['billing'],
      verbs: ['submit'],
    });
    expect(judge(peer('other'))).toMatchObject({ tenants: [], verbs: ['submit', 'work', 'read', 'admin'] });
  });

  it('matches whole identities, and nothing but * is special', () => {
    const { judge } = policy({ rules: [{ identity: client('a.b') }] });
    expect(judge(peer('a.b'))).toMatchObject({ name: client('a.b') });
    for (const name of ['axb', 'a.b2', '']) {
      expect(judge(peer(name))).toMatchObject({ code: 'PERMISSION_DENIED', reason: 'DENIED' });
    }
    expect(judge({ name: `x${client('a.b')}`, serial: '' })).toMatchObject({ reason: 'DENIED' });
  });

  it('refuses revoked serials however they are written, and revoked identities', () => {
    const { judge } = policy({
      rules: [{ identity: '*' }],
      revoked: { serials: ['00:0a:1B'], identities: [client('bad-*')] },
    });
    const refused = { code: 'UNAUTHENTICATED', reason: 'CERTIFICATE_REFUSED' };
    expect(judge(peer('a', 'A1B'))).toMatchObject(refused);
    expect(judge(peer('a', '0A1B'))).toMatchObject(refused);
    expect(judge(peer('bad-one'))).toMatchObject(refused);
    expect(judge(peer('a', 'A1B0'))).toMatchObject({ name: client('a') });
  });

  it.each([
    ['{', 'is not JSON'],
    ['{}', 'rules'],
    [{ rules: [{ identity: '*', verbs: ['fly'] }] }, 'rules.0.verbs.0'],
    [{ rules: [{ identity: '*', tenants: [] }] }, 'rules.0.tenants'],
    [{ rules: [{ identity: '*', queue: ['a'] }] }, 'queue'],
    [{ rules: [{ identity: '*', queues: ['a b'] }] }, 'rules.0.queues.0'],
    [{ rules: [], revoked: { serials: ['zz'] } }, 'revoked.serials.0'],
  ])('%j is refused, naming the place', (content, place) => {
    expect(() => policy(content)).toThrow(
      expect.objectContaining({
        reason: 'BAD_CONFIGURATION',
        message: expect.stringContaining(place),
        help: expect.stringContaining('rules'),
      }),
    );
  });

  it('that cannot be read is refused', () => {
    expect(() => readPolicy(join(dir, 'none.json'))).toThrow(
      expect.objectContaining({ reason: 'BAD_CONFIGURATION', message: expect.stringContaining('none.json') }),
    );
  });
});

describe('the names in a certificate', () => {
  it('are its SPIFFE ids, and a comma within one makes no second', () => {
    expect(spiffeIds('DNS:a, URI:spiffe://h/client/a, IP Address:1.2.3.4')).toEqual(['spiffe://h/client/a']);
    expect(spiffeIds('URI:https://x, DNS:spiffe://h/b')).toEqual([]);
    expect(spiffeIds('URI:"spiffe://h/a, URI:spiffe://h/admin"')).toEqual([
      'spiffe://h/a, URI:spiffe://h/admin',
    ]);
    expect(spiffeIds('DNS:"a, URI:spiffe://h/admin"')).toEqual([]);
    expect(spiffeIds('URI:spiffe://h/a, URI:spiffe://h/b')).toHaveLength(2);
  });
});
