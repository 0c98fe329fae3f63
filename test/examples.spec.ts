/** Runs the programs that README.md shows, as README.md says. */
import { readFileSync } from 'node:fs';
import { expect, it, vi } from 'vitest';
import { greet } from '../examples/greet/contract.ts';
import worker from '../examples/greet/worker.ts';
import { connect } from '../src/index.ts';
import { dev, node, project } from './cli/command-server.ts';

vi.setConfig({ testTimeout: 40_000 });

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
const names = ['contract.ts', 'worker.ts', 'submit.ts', 'embedded.ts'];
/** The programs in README.md. The paragraph before a program names its file. */
const shown = [...readme.matchAll(/((?:.+\n)+)\n```ts\n([\s\S]*?)```/g)].map(
  ([, before = '', code = '']) => ({
    name: names.find((name) => before.includes(`\`${name}\``)) ?? before,
    code,
  }),
);
const files = Object.fromEntries(shown.map(({ name, code }) => [name, code]));

it('README.md shows the programs of examples/greet, letter by letter, and no others', () => {
  expect(shown.map(({ name }) => name)).toEqual(names);
  for (const { name, code } of shown) {
    expect(code, name).toBe(readFileSync(new URL(`../examples/greet/${name}`, import.meta.url), 'utf8'));
  }
});

it('the worker of README.md runs under holdfast dev, and a second submission is deduplicated', async () => {
  expect(readme).toContain('`npx holdfast dev worker.ts`');
  expect(readme).toContain('`npx node submit.ts`');
  const cwd = project(files);
  await dev(cwd, 'worker.ts').until(/working on greet/);
  expect(await node(cwd, 'submit.ts')).toMatch(/^1-\w+: Hello, Ada!\n$/);
  expect(await node(cwd, 'submit.ts')).toMatch(/^1-\w+ deduplicated: Hello, Ada!\n$/);
});

it('the embedded program of README.md runs without a server and ends', async () => {
  expect(readme).toContain('`npx node embedded.ts`');
  expect(await node(project(files), 'embedded.ts')).toBe('Hello, Eve!\n');
});

it('the idempotency key in README.md gives the same task again, and is refused with another input', async () => {
  await using holdfast = connect('memory:');
  await using running = await holdfast.work(worker);
  const task = await holdfast.submit(greet, { name: 'Ada' });
  expect(await task.result({ timeout: '10s' })).toEqual({ greeting: 'Hello, Ada!' });
  const again = await holdfast.submit(greet, { name: 'Ada' });
  expect(again).toMatchObject({ id: task.id, deduplicated: true });
  const other = holdfast.submit(greet, { name: 'Bob' }, { idempotencyKey: 'greet/Ada' });
  await expect(other).rejects.toMatchObject({
    code: 'ALREADY_EXISTS',
    reason: 'KEY_REUSED',
    taskId: task.id,
  });
  await running.drain();
});
