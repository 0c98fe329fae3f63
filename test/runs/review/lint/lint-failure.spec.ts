import { expect, it } from 'vitest';
import { documentedCommand, findingIn, stepOf } from './lint-failure.ts';

it('the step of the job lint is its last command', () => {
  const job =
    'jobs:\n  lint:\n    steps:\n      - uses: a/b@c\n      - run: npm ci\n      - run: npm run lint\n';
  expect(stepOf(job)).toBe('npm run lint');
  expect(stepOf('jobs:\n  test:\n    steps: []\n')).toBeUndefined();
});

it('the documented command is that of the row of the job lint', () => {
  const page = '| `workflows-lint` | `npm run workflows:lint` | w |\n| `lint` | `npm run lint` | layers |\n';
  expect(documentedCommand(page)).toBe('npm run lint');
  expect(documentedCommand('no row')).toBeUndefined();
});

it('the finding is the line that names the planted file, without colours and rules', () => {
  const start = String.fromCharCode(27);
  const line = `${start}[4msrc/core/planted.ts:1:58${start}[0m lint/suspicious/noDoubleEquals ━━━━━━`;
  expect(findingIn(`checked\n${line}\nmore`)).toBe('src/core/planted.ts:1:58 lint/suspicious/noDoubleEquals');
  expect(findingIn('checked 900 files')).toBeUndefined();
});
