import { spawnSync } from 'node:child_process';
import { expect, it } from 'vitest';

const program = `
  import { HoldfastError } from ${JSON.stringify(new URL('../core/errors.ts', import.meta.url).href)};
  import { defaultLog } from ${JSON.stringify(new URL('./log.ts', import.meta.url).href)};
  const known = new HoldfastError('UNAVAILABLE', 'UNREACHABLE', 'No answer.', { help: 'Check the address.' });
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

it('the log line of an error has its code, message and help, and has a stack only if the error is a defect', () => {
  const [known, defect, other] = linesAt('info');
  const logged = {
    code: 'UNAVAILABLE',
    reason: 'UNREACHABLE',
    message: 'No answer.',
    help: 'Check the address.',
  };
  expect(known?.err).toEqual(logged);
  expect(defect?.err).toMatchObject({ code: 'INTERNAL', stack: expect.stringContaining('at ') });
  expect(other?.err).toMatchObject({ message: 'of something else', stack: expect.stringContaining('at ') });
});

it('at level debug the log line of every error has a stack', () => {
  const [known] = linesAt('debug');
  expect(known?.err).toMatchObject({ code: 'UNAVAILABLE', stack: expect.stringContaining('at ') });
});
