/** Runs the tests of docs/testing.md by Node's own test runner, and a kit under its fake timers. */
import { expect, it, vi } from 'vitest';
import { documentedPrograms } from '../fixtures/documented-programs.ts';
import { project, startNode } from './command-server.ts';

vi.setConfig({ testTimeout: 40_000 });

async function nodeTest(files: Readonly<Record<string, string>>): Promise<string> {
  const ran = startNode(['--test', '--test-reporter', 'tap'], { cwd: project(files) });
  await ran.exit;
  return ran.out + ran.err;
}

it('docs/testing.md: the tests pass as they are written', async () => {
  const programs = documentedPrograms('testing.md');
  expect(Object.keys(programs)).toEqual(['mail.ts', 'mail.test.ts']);
  const tests = programs['mail.test.ts']?.match(/^test\(/gm)?.length;
  expect(await nodeTest(programs)).toContain(`# pass ${tests}\n# fail 0\n`);
});

it('a test of docs/testing.md fails if the handler does something else', async () => {
  const programs = documentedPrograms('testing.md');
  const other = { ...programs, 'mail.ts': programs['mail.ts']?.replace("delay: '3d'", "delay: '4d'") ?? '' };
  expect(await nodeTest(other)).toContain('# fail 1\n');
});

const fakesFirst = `
import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { defineTask, defineWorker, handle, typed } from 'holdfast';

mock.timers.enable();
const { testKit } = await import('holdfast/testing');

test('a kit works whose module was loaded under fake timers', async () => {
  const patient = defineTask('patient', {
    input: typed<null>(),
    retry: { maxAttempts: 29, backoff: () => '6h' },
  });
  const worker = defineWorker({
    handlers: [handle(patient, (_, { attempt }) => { if (attempt < 29) throw new Error('not yet'); })],
  });
  await using kit = await testKit({ worker });
  const task = await kit.submit(patient, null);
  await kit.clock.advance('7d');
  assert.equal((await task.status()).state, 'succeeded');
  assert.equal(Date.now(), 0);
});
`;

it('a week of retries runs under the fake timers of node:test, even if they were on before the kit was loaded', async () => {
  expect(await nodeTest({ 'week.test.ts': fakesFirst })).toContain('# pass 1\n# fail 0\n');
});
