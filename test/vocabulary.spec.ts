/**
 * Checks that code and documents use the words of docs/glossary.md. Older words for the same things must not come back:
 * in no identifier, comment, sentence or file name, outside the allow lists below.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

/**
 * Old words of this project, each with the common word that replaces it. An old word may stand in no identifier and no
 * text.
 */
const oldWords: Readonly<Record<string, string>> = {
  bell: 'dispatch message, delivery',
  bells: 'broker, deliveries',
  ring: 'dispatch message, send',
  rings: 'dispatch messages, sends',
  rang: 'sent',
  rung: 'sent',
  ringing: 'sending',
  hear: 'receive',
  hears: 'receives',
  heard: 'received',
  hearing: 'receiving',
  hearer: 'claimant, receiver',
  unheard: 'unacknowledged',
  unrung: 'unsent',
  ear: 'poller',
  ears: 'pollers',
  belfry: 'priority queues',
  audible: 'visible',
  silence: 'delete',
  silences: 'deletes',
  silenced: 'deleted',
  unhelped: 'failed',
  told: 'logged, notified, answered',
  whoever: 'the reader, the caller, the worker …',
};

/** Old words that may not stand in names; in a sentence they are plain English. */
const oldNames: Readonly<Record<string, string>> = {
  tell: 'log…, notify…, publish…',
  tells: 'log…, notify…',
  telling: 'log…, notify…',
  said: 'parsed, text',
  asked: 'request, requested, pending',
  asking: 'request, requesting',
  stood: 'current',
  spent: 'expired (of leases), used',
  unspent: 'unexpired, unused',
  presume: 'readAsSubmitted',
  presumed: 'asSubmitted',
  helped: 'succeeded',
  leftover: 'unfinished note',
  leftovers: 'unfinished notes',
  troubles: 'failures',
  shelf: 'ready list',
  shelve: 'put back',
  met: 'recorded, found',
  token: 'fencingToken',
  tokens: 'fencingTokens',
};

/** The files in which an old word is another, ordinary word. */
const allowed: readonly { readonly word: string; readonly file: RegExp }[] = [
  { word: 'token', file: /^(proto\/|src\/rpc\/|src\/client\/|src\/cli\/|test\/)/ },
  // The CDK calls a value that is known at deployment only a Token.
  { word: 'token', file: /^src\/cdk\// },
  // The names of columns in schemas 1 and 2 of the SQLite store.
  { word: 'bell', file: /^src\/engines\/sqlite\/file\/upgrade(\.spec)?\.ts$/ },
];

const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
  encoding: 'utf8',
})
  .split('\n')
  .filter((file) => /\.(ts|md|proto|grit|py|json|ya?ml)$/.test(file) || file.startsWith('.ci/'))
  .filter((file) => existsSync(file))
  .filter((file) => !file.startsWith('src/rpc/gen/') && file !== 'package-lock.json')
  .filter((file) => file !== 'test/vocabulary.spec.ts' && file !== 'docs/glossary.md');

const isAllowed = (word: string, file: string): boolean =>
  allowed.some((one) => one.word === word && one.file.test(file));

/** Common technical names that contain an old word. */
const notPrivate = /fencing_?tokens?|ClientRequestToken|lookUp/gi;

/** Returns the words of an identifier: `leaseSpentAtMs` is lease, spent, at, ms. */
function wordsOf(identifier: string): string[] {
  return identifier
    .replaceAll(notPrivate, '')
    .replace(/([a-z0-9])([A-Z])/g, '$1 $2')
    .replace(/([A-Z]+)([A-Z][a-z])/g, '$1 $2')
    .split(/[^A-Za-z]+/)
    .map((word) => word.toLowerCase());
}

function offences(
  dictionary: Readonly<Record<string, string>>,
  textOf: (source: string, file: string) => string,
): string[] {
  return files.flatMap((file) => {
    const lines = textOf(readFileSync(file, 'utf8'), file).split('\n');
    const found = lines.flatMap((line, i) =>
      [...new Set(wordsOf(line))]
        .filter((word) => Object.hasOwn(dictionary, word) && !isAllowed(word, file))
        .map((word) => `${file}:${i + 1} says '${word}': ${dictionary[word]}`),
    );
    const named = wordsOf(file).filter((word) => Object.hasOwn(dictionary, word) && !isAllowed(word, file));
    return [...found, ...named.map((word) => `${file} is named '${word}': ${dictionary[word]}`)];
  });
}

const comments = /\/\*[\s\S]*?\*\/|(?<=^|\s)\/\/.*$/gm;
const strings = /'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\.)*`/g;
/** Regex literals, as far as they can be told from divisions: after an opening bracket, a comma, `=`, `:` or `!`. */
const regexes = /(?<=[(,=:!&|?[{;\n]\s*)\/(?![*/\s])(?:[^/\\\n[]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[a-z]*/g;
const blank = (text: string): string => text.replaceAll(/[^\n]/g, ' ');

test('no file of the repository contains a word that the glossary has replaced', () => {
  expect(offences(oldWords, (source) => source)).toEqual([]);
});

test('no name in the code contains a word that the glossary has replaced', () => {
  const names = (source: string, file: string): string =>
    file.endsWith('.ts')
      ? source.replaceAll(comments, blank).replaceAll(regexes, blank).replaceAll(strings, blank)
      : '';
  expect(offences(oldNames, names)).toEqual([]);
});

test('no docstring begins with a word such as What or Whose in place of a subject', () => {
  const opening = /\/\*\*\s*(?:\n\s*\*\s*)?(What|Whatever|Whoever|Whom|Whose|Those|Told|Asked|Of what)\b/g;
  const found = files
    .filter((file) => file.endsWith('.ts'))
    .flatMap((file) => {
      const source = readFileSync(file, 'utf8');
      return [...source.matchAll(opening)].map(
        ({ index, 1: word }) => `${file}:${source.slice(0, index).split('\n').length} begins with '${word}'`,
      );
    });
  expect(found).toEqual([]);
});

test('every file that the glossary names exists', () => {
  const named = [...readFileSync('docs/glossary.md', 'utf8').matchAll(/\| `([^`]+)` \|$/gm)].map(
    ([, file]) => file,
  );
  expect(named.length).toBeGreaterThan(40);
  expect(named.filter((file) => file === undefined || !existsSync(file))).toEqual([]);
});
