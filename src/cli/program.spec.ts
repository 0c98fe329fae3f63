/**
 * Mistakes on the command line: each ends with a message and the exit status 2, before anything is sent to a server.
 */
import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { run } from './program.ts';

let stderr = '';

beforeEach(() => {
  stderr = '';
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    stderr += String(text);
    return true;
  });
});
afterEach(() => vi.restoreAllMocks());

it.each([
  ['--attempts without a number', ['submit', 'greet', '1', '--attempts', 'x'], 'whole number from 1 to 1000'],
  ['--attempts 0', ['submit', 'greet', '1', '--attempts', '0'], 'whole number from 1 to 1000'],
  ['a type version below 1', ['submit', 'greet', '1', '--type-version', '-1'], 'whole number from 1'],
  ['a page that is too long', ['list', '--limit', '101'], 'whole number from 1 to 100'],
  ['a port that does not exist', ['serve', '--port', '70000'], 'whole number from 0 to 65535'],
  [
    'a port of metrics that does not exist',
    ['serve', '--metrics-port', '-1'],
    'whole number from 0 to 65535',
  ],
  ['the name of a tenant that cannot be', ['serve', '--metrics-tenants', 'a,b c'], 'names of tenants'],
  ['a duration with an unknown unit', ['submit', 'greet', '1', '--delay', '10min'], "such as '10s'"],
  ['a payload that is not JSON', ['submit', 'greet', '{a:1}'], 'not JSON'],
  ['a payload file that does not exist', ['submit', 'greet', '@/nowhere.json'], 'Cannot read'],
  ['a mistyped verb', ['sumbit'], 'Did you mean submit?'],
  [
    'a verb of other queues, status',
    ['status', '1-a'],
    'Did you mean `holdfast show <id>` or `holdfast why <id>`?',
  ],
  ['a verb of other queues, retry', ['retry', '1-a'], 'Did you mean `holdfast redrive <id>`?'],
  ['a verb of other queues, pause', ['pause', 'mail'], 'Did you mean `holdfast queues pause <name>`?'],
  ['a verb of other queues, worker-list', ['worker-list'], 'Did you mean `holdfast workers`?'],
  ['the slots of the canary without a unit', ['canary', '--slot', '5'], "such as '10s'"],
  ['a mistyped flag', ['list', '--stat', 'dead'], 'Did you mean --state?'],
  [
    'a deadline before the end of the delay',
    ['submit', 'greet', '1', '--delay', '5s', '--deadline', '1s'],
    'The deadline comes before the delay is over',
  ],
  [
    'a wrong number for `certs issue`, and names the help of that verb',
    ['certs', 'issue', 'foo', '--days', '0'],
    'See `holdfast certs issue --help`.',
  ],
  [
    'the URL of a store in place of a server',
    ['--url', 'file:./queue.db', 'list'],
    'holdfast serve --store file:./queue.db',
  ],
  ['a URL with an unknown scheme', ['--url', 'http://127.0.0.1:1', 'list'], 'holdfast://'],
])('the command refuses %s', async (_, argv, message) => {
  expect(await run(argv)).toBe(2);
  expect(stderr).toContain(message);
});

it('README.md and docs/command.md name every verb', async () => {
  let help = '';
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    help += String(text);
    return true;
  });
  await run(['--help']);
  const verbs = [...help.matchAll(/^ {2}([a-z]+) {2,}|^ {2}([a-z]+) [[<]/gm)].map(
    ([, one, other]) => one ?? other,
  );
  expect(verbs).toContain('version');
  expect(verbs.length).toBeGreaterThan(15);
  for (const page of ['README.md', 'docs/command.md']) {
    const text = readFileSync(new URL(`../../${page}`, import.meta.url), 'utf8');
    expect(verbs.filter((verb) => verb !== 'help' && !new RegExp(`\`${verb}\\b`).test(text))).toEqual([]);
  }
});
