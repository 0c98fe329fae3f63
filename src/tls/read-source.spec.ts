import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { initAuthority } from '../certs/authority.ts';
import { readPolicy } from '../rpc/auth/read-policy.ts';
import { loadAuthorities } from './load.ts';

const name = 'HOLDFAST_SPEC_SOURCE';
const withVariable = (value: string): void => {
  process.env[name] = value;
  onTestFinished(() => {
    delete process.env[name];
  });
};

it('a certificate may be the content of an environment variable', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'holdfast-source-'));
  await initAuthority(dir, Date.now());
  const pem = readFileSync(join(dir, 'ca.crt'), 'utf8');
  withVariable(pem);
  expect(loadAuthorities(`env:${name}`, Date.now()).toString()).toBe(pem);
});

it('a variable that is not set is refused with its name', () => {
  expect(() => loadAuthorities(`env:${name}`, Date.now())).toThrow(`'env:${name}' does not exist`);
});

it('a policy may be the content of an environment variable', () => {
  withVariable('{"rules":[{"identity":"ada"}]}');
  expect(readPolicy(`env:${name}`)).toBeDefined();
});
