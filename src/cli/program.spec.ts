/** What a slip on the command line costs: a sentence and the status for usage, before anything is sent. */
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { run } from './program.ts';

let told = '';

beforeEach(() => {
  told = '';
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    told += String(text);
    return true;
  });
});
afterEach(() => vi.restoreAllMocks());

it.each([
  ['a number that is none', ['submit', 'greet', '1', '--attempts', 'x'], 'whole number from 1 to 1000'],
  ['no attempts', ['submit', 'greet', '1', '--attempts', '0'], 'whole number from 1 to 1000'],
  ['a type version below 1', ['submit', 'greet', '1', '--type-version', '-1'], 'whole number from 1'],
  ['a page that is too long', ['list', '--limit', '101'], 'whole number from 1 to 100'],
  ['a port that is none', ['serve', '--port', '70000'], 'whole number from 0 to 65535'],
  ['a length without a unit', ['submit', 'greet', '1', '--delay', '10min'], "such as '10s'"],
  ['a payload that is no JSON', ['submit', 'greet', '{a:1}'], 'not JSON'],
  ['a file that is not there', ['submit', 'greet', '@/nowhere.json'], 'Cannot read'],
  ['a mistyped verb', ['sumbit'], 'Did you mean submit?'],
  ['a mistyped flag', ['list', '--stat', 'dead'], 'Did you mean --state?'],
  [
    'a deadline within the delay',
    ['submit', 'greet', '1', '--delay', '5s', '--deadline', '1s'],
    'The deadline comes before the delay is over',
  ],
  [
    'a wrong number of a verb below another, with that verb’s help',
    ['certs', 'issue', 'foo', '--days', '0'],
    'See `holdfast certs issue --help`.',
  ],
  [
    'a store instead of a server',
    ['--url', 'file:./queue.db', 'list'],
    'holdfast serve --store file:./queue.db',
  ],
  ['another scheme', ['--url', 'http://127.0.0.1:1', 'list'], 'holdfast://'],
])('refuses %s', async (_, argv, sentence) => {
  expect(await run(argv)).toBe(2);
  expect(told).toContain(sentence);
});
