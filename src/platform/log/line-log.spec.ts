import { spawnSync } from 'node:child_process';
import { expect, it } from 'vitest';

const url = (path: string): string => JSON.stringify(new URL(path, import.meta.url).href);

/** Runs a program that writes to a log, and returns its lines without what differs between two processes. */
function linesOf(file: '../log.ts' | './line-log.ts', env: NodeJS.ProcessEnv): string[] {
  const program = `
    import { HoldfastError } from ${url('../../core/errors.ts')};
    import * as logs from ${url(file)};
    const log = (logs.defaultLog ?? logs.lineLog)();
    const help = { help: 'Check the address.' };
    const circular = {}; circular.self = circular;
    log.debug({ queue: 'mail' }, 'debug');
    log.info('a message alone');
    log.info({ queue: 'mail', task_id: 't', nothing: undefined, list: ['a', 'b'], circular }, 'with fields');
    log.warn({ err: new HoldfastError('UNAVAILABLE', 'UNREACHABLE', 'No answer.', help), ...help }, 'refused');
    log.error({ err: new HoldfastError('INTERNAL', 'BUG', 'A defect.') }, 'defect');
    const cause = Object.assign(new Error('why'), { code: 'EWHY' });
    log.error({ err: new TypeError('of something else', { cause }) }, 'caused');
    log.error({ err: new AggregateError([new Error('one'), 'two'], 'many') }, 'aggregate');
    log.error({ err: 'a text' }, 'no error');
  `;
  const args = ['--input-type=module-typescript', '-e', program];
  const { stderr } = spawnSync(process.execPath, args, { env: { ...process.env, ...env }, encoding: 'utf8' });
  return stderr
    .trimEnd()
    .split('\n')
    .map((line) => line.replace(/"time":\d+,"pid":\d+/, '"time":0,"pid":0').replace(/^[\d:.]{12} /, ''))
    .map((line) => line.replaceAll(/data:text[^)\s"]*|\(?\[eval\d*\][^)\s"]*/g, 'program'));
}

for (const form of ['json', 'text'] as const) {
  for (const level of ['debug', 'info', 'error', 'silent']) {
    it(`the log of holdfast/client writes the lines of the default log: ${form}, level ${level}`, () => {
      const env = { HOLDFAST_LOG_FORMAT: form, HOLDFAST_LOG: level, NO_COLOR: '1' };
      const lines = linesOf('./line-log.ts', env);
      expect(lines).toEqual(linesOf('../log.ts', env));
      expect(lines.length).toBeGreaterThan(level === 'silent' ? 0 : 3);
    });
  }
}

it('the log of holdfast/client refuses a level that does not exist', () => {
  const output = linesOf('./line-log.ts', { HOLDFAST_LOG: 'warning' }).join('\n');
  expect(output).toContain("HOLDFAST_LOG is 'warning', which is no level of the log.");
});
