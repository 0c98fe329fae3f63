import { spawnSync } from 'node:child_process';
import { expect, it } from 'vitest';

const program = `
  import { HoldfastError } from ${JSON.stringify(new URL('../core/errors.ts', import.meta.url).href)};
  import { defaultLog } from ${JSON.stringify(new URL('./log.ts', import.meta.url).href)};
  const known = new HoldfastError('UNAVAILABLE', 'UNREACHABLE', 'Nobody answers.', { help: 'Check the address.' });
  defaultLog().warn({ err: known }, 'a');
  defaultLog().warn({ err: new HoldfastError('INTERNAL', 'BUG', 'A defect.') }, 'b');
  defaultLog().warn({ err: new TypeError('of something else', { cause: new Error('why') }) }, 'c');
`;

function linesAt(level: string): { readonly err: Readonly<Record<string, unknown>> }[] {
  const env = { ...process.env, HOLDFAST_LOG: level };
  const { stderr } = spawnSync(process.execPath, ['--input-type=module-typescript', '-e', program], {
    env,
    encoding: 'utf8',
  });
  return stderr
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
}

it('tells of an error what happened and what to do, and where it was thrown only of a defect', () => {
  const [known, defect, other] = linesAt('info');
  const told = {
    code: 'UNAVAILABLE',
    reason: 'UNREACHABLE',
    message: 'Nobody answers.',
    help: 'Check the address.',
  };
  expect(known?.err).toEqual(told);
  expect(defect?.err).toMatchObject({ code: 'INTERNAL', stack: expect.stringContaining('at ') });
  expect(other?.err).toMatchObject({ message: 'of something else', stack: expect.stringContaining('at ') });
});

it('tells all of it to those who ask for debug', () => {
  const [known] = linesAt('debug');
  expect(known?.err).toMatchObject({ code: 'UNAVAILABLE', stack: expect.stringContaining('at ') });
});
