import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { HoldfastError } from '../core/errors.ts';
import { exitCodeOf } from './exit-codes.ts';
import { nodeVersionError } from './node-version.ts';

describe('the check of the version of Node', () => {
  it.each(['24.16.0', '24.99.1', '26.1.0', '26.10.0', '27.0.0-nightly', '30.0.0'])(
    'accepts %s',
    (version) => {
      expect(nodeVersionError(version)).toBeUndefined();
    },
  );

  it.each(['18.20.4', '20.20.2', '22.12.0', '24.15.9', '25.9.0', '26.0.0'])('refuses %s', (version) => {
    const message = `Holdfast needs Node 24.16 or a later 24, or Node 26.1 or later; this is Node ${version}.`;
    expect(nodeVersionError(version)).toMatchObject({ reason: 'BAD_CONFIGURATION', message });
  });

  it('requires the same versions as `engines` in package.json', () => {
    const file = new URL('../../package.json', import.meta.url);
    expect(JSON.parse(readFileSync(file, 'utf8')).engines.node).toBe('^24.16.0 || >=26.1.0');
  });

  it('ends the command with exit status 2 for a version that is too old', () => {
    const { code, reason } = nodeVersionError('20.0.0') ?? expect.fail();
    expect(exitCodeOf(new HoldfastError(code, reason, ''))).toBe(2);
  });
});
