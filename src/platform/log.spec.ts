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

function outputAt(level: string, more: NodeJS.ProcessEnv = {}): string {
  const env = { ...process.env, HOLDFAST_LOG: level, ...more };
  const args = ['--input-type=module-typescript', '-e', program];
  return spawnSync(process.execPath, args, { env, encoding: 'utf8' }).stderr;
}

function linesAt(level: string): { readonly err: Readonly<Record<string, unknown>> }[] {
  return outputAt(level)
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

it('a level that does not exist is refused with the levels that do', () => {
  const output = outputAt('warning');
  expect(output).toContain("HOLDFAST_LOG is 'warning', which is no level of the log.");
  expect(output).toContain('Use one of trace, debug, info, warn, error, fatal, silent.');
});

it('the log is JSON lines where standard error is no terminal, and text if HOLDFAST_LOG_FORMAT says so', () => {
  const outputIn = (format: string): string => outputAt('info', { HOLDFAST_LOG_FORMAT: format });
  expect(outputIn('')).toMatch(/^\{"level":40,/);
  expect(outputIn('json')).toMatch(/^\{"level":40,/);
  expect(outputIn('text')).toMatch(
    /^\d\d:\d\d:\d\d\.\d{3} warn {3}a\n {4}UNAVAILABLE UNREACHABLE: No answer\.\n/,
  );
  const wrong = outputIn('pretty');
  expect(wrong).toContain("HOLDFAST_LOG_FORMAT is 'pretty', which is no format of the log.");
  expect(wrong).toContain('Use one of json, text.');
});

it('the log is text on a terminal, and JSON lines there if HOLDFAST_LOG_FORMAT says so', () => {
  // `script` of util-linux runs a command on a terminal of its own, and copies what the command writes.
  const onTerminal = (format: string): string => {
    const command = `exec '${process.execPath}' --input-type=module-typescript -e "$PROGRAM"`;
    const env = {
      ...process.env,
      PROGRAM: program,
      HOLDFAST_LOG: 'info',
      HOLDFAST_LOG_FORMAT: format,
      NO_COLOR: '1',
    };
    return spawnSync('script', ['-qec', command, '/dev/null'], { env, encoding: 'utf8', input: '' }).stdout;
  };
  expect(onTerminal('')).toMatch(/^\d\d:\d\d:\d\d\.\d{3} warn {3}a\r\n/);
  expect(onTerminal('json')).toMatch(/^\{"level":40,/);
});
