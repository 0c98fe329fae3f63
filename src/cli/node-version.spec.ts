import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { HoldfastError } from '../core/errors.ts';
import { exitCodeOf } from './exit-codes.ts';
import { tooOld } from './node-version.ts';

describe('the version of Node', () => {
  it.each(['24.16.0', '24.99.1', '26.1.0', '26.10.0', '27.0.0-nightly', '30.0.0'])(
    '%s will do',
    (version) => {
      expect(tooOld(version)).toBeUndefined();
    },
  );

  it.each(['18.20.4', '20.20.2', '22.12.0', '24.15.9', '25.9.0', '26.0.0'])('%s is refused', (version) => {
    const told = `Holdfast runs on Node 24.16 or newer of 24, or 26.1 or newer; this is Node ${version}.`;
    expect(tooOld(version)).toMatchObject({ reason: 'BAD_CONFIGURATION', message: told });
  });

  it('is asked of as package.json asks', () => {
    const file = new URL('../../package.json', import.meta.url);
    expect(JSON.parse(readFileSync(file, 'utf8')).engines.node).toBe('^24.16.0 || >=26.1.0');
  });

  it('ends the command by the status of its code and reason', () => {
    const { code, reason } = tooOld('20.0.0') ?? expect.fail();
    expect(exitCodeOf(new HoldfastError(code, reason, ''))).toBe(2);
  });
});
