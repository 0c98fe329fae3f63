/** Tests `holdfast init`: the files that it writes run as its output says. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { dev, node, project, save, startNode, within } from './command-server.ts';

/** Makes the files import this checkout, as an installed package would be found. */
function install(dir: string, files: readonly string[]): void {
  for (const name of files) {
    if (name.endsWith('.ts')) save(dir, name, readFileSync(join(dir, name), 'utf8'));
  }
}

it('holdfast init writes a test, a worker and a submitter that run', async () => {
  const cwd = project();
  const { json } = await within(cwd, 'init', '--json');
  expect(json.files).toEqual(['contract.ts', 'worker.ts', 'submit.ts', 'worker.test.ts']);
  install(cwd, json.files);
  const tested = startNode(['--test'], { cwd });
  expect([await tested.exit, tested.out]).toEqual([0, expect.stringMatching(/pass 1\b/)]);
  const running = dev(cwd, 'worker.ts');
  await running.until(/working on greet/);
  expect(await node(cwd, 'submit.ts')).toMatch(/^\S+: Hello, Ada!\n$/);
  expect(await node(cwd, 'submit.ts')).toMatch(/^\S+ deduplicated: Hello, Ada!\n$/);
  running.signal('SIGTERM');
  expect(await running.exit).toBe(0);
});

it('holdfast init creates a folder with a package.json, and says what to do next', async () => {
  const cwd = project();
  const made = await within(cwd, 'init', 'jobs');
  expect(made).toMatchObject({ code: 0, err: '' });
  expect(made.out).toContain(
    '  cd jobs\n  npm install holdfast\n  node --test\n  npx holdfast dev worker.ts\n',
  );
  expect(JSON.parse(readFileSync(join(cwd, 'jobs/package.json'), 'utf8'))).toMatchObject({ type: 'module' });
});

it('holdfast init writes over no file, and says which folder it cannot write into', async () => {
  const cwd = project({ 'worker.ts': 'mine' });
  const refused = await within(cwd, 'init', '--json');
  expect(refused).toMatchObject({ code: 2, json: { error: { reason: 'BAD_CONFIGURATION' } } });
  expect(refused.json.error.message).toContain('worker.ts already exists');
  expect(readFileSync(join(cwd, 'worker.ts'), 'utf8')).toBe('mine');
  expect(existsSync(join(cwd, 'contract.ts'))).toBe(false);
  writeFileSync(join(cwd, 'file'), '');
  const inFile = await within(cwd, 'init', 'file/below', '--json');
  expect(inFile).toMatchObject({
    code: 2,
    json: { error: { help: expect.stringContaining('Name a folder') } },
  });
});
