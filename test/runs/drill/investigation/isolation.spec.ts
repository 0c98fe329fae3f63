/** Tests that an investigator cannot know the cause but by its queries. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { rightsOf } from '../rights.ts';

const folder = fileURLToPath(new URL('.', import.meta.url));
const checkout = fileURLToPath(new URL('../../../../', import.meta.url));
const specifiers = /(?:from|import\(|import) ?'(\.[^']+)'/g;

/** Returns all modules that a module imports, also types and dynamic ones, as paths of the checkout. */
function modulesOf(path: string, found = new Set<string>()): ReadonlySet<string> {
  const name = relative(checkout, path);
  if (found.has(name) || !existsSync(path)) return found;
  found.add(name);
  for (const [, specifier = ''] of readFileSync(path, 'utf8').matchAll(specifiers))
    modulesOf(join(dirname(path), specifier), found);
  return found;
}

it('its modules import nothing of the injectors, the site or the run', () => {
  const modules = [...modulesOf(join(folder, 'investigator-process.ts'))];
  expect(modules).toContain('src/cli/program.ts');
  const ofDrill = modules.filter((path) => path.startsWith('test/runs/'));
  const allowed = /^test\/runs\/(drill\/investigation\/|drill\/causes\.ts$|alerts\/webhook-body\.ts$)/;
  expect(ofDrill.length).toBeGreaterThan(5);
  expect(ofDrill.filter((path) => !allowed.test(path))).toEqual([]);
});

it('its process may start no program, and may read neither the files of a server nor the state of another process', () => {
  const attempts = `
    const tries = {
      program: () => require('node:child_process').spawnSync('true').error ?? 'ran',
      thread: () => new (require('node:worker_threads').Worker)('1', { eval: true }),
      file: () => require('node:fs').readFileSync('/etc/hostname'),
      process: () => require('node:fs').readFileSync('/proc/' + process.ppid + '/cmdline'),
      folder: () => require('node:fs').readdirSync(require('node:os').tmpdir()),
      write: () => require('node:fs').writeFileSync('a', 'b'),
    };
    const codes = Object.entries(tries).map(([name, attempt]) => {
      try { return [name, String(attempt())]; } catch (error) { return [name, error.code]; }
    });
    console.log(JSON.stringify([Object.fromEntries(codes), Object.keys(process.env)]));`;
  const { stdout } = spawnSync(process.execPath, [...rightsOf([]), '-e', attempts], {
    encoding: 'utf8',
    env: {},
  });
  const [codes, variables] = JSON.parse(stdout) as [Record<string, string>, string[]];
  expect(new Set(Object.values(codes))).toEqual(new Set(['ERR_ACCESS_DENIED']));
  expect(Object.keys(codes)).toHaveLength(6);
  expect(variables).toEqual([]);
});
