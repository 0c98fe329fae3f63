import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { exitCodeOf } from '../../src/cli/exit-codes.ts';
import { type Code, codes, HoldfastError, type Reason, reasons } from '../../src/core/errors.ts';

const text = readFileSync(new URL('../../docs/bad-input.md', import.meta.url), 'utf8');
const rows = text
  .split('\n')
  .filter((line) => /^\| (?!what is wrong)/.test(line))
  .map((line) => line.split('|').map((cell) => cell.trim()));

it('docs/bad-input.md has valid codes and reasons, and the exit status of each', () => {
  expect(rows.length).toBeGreaterThan(40);
  for (const [, what, , error = '', exit = ''] of rows) {
    const [code, reason] = error.split(' ') as [Code, Reason | undefined];
    if (reason === undefined) {
      expect(['–', '0'], what).toContain(exit);
      continue;
    }
    expect(codes, what).toContain(code);
    expect(reasons, what).toContain(reason);
    const meant = [String(exitCodeOf(new HoldfastError(code, reason, ''))), '–'];
    expect(meant, what).toContain(exit);
  }
});
