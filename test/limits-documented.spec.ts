/** Compares the sums of docs/limits.md with src/core/limits.ts: the memory that products of limits hold. */
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { type Limits, limits } from '../src/core/limits.ts';

const page = readFileSync(new URL('../docs/limits.md', import.meta.url), 'utf8');

/** Returns the text under a heading, up to the next heading of its level or above. */
function under(heading: string): string {
  const text = page.split(`\n${heading}\n`.replace(/^\n# /, '# '))[1];
  if (text === undefined) throw new RangeError(`docs/limits.md has no heading '${heading}'`);
  return text.split(/\n## /)[0] ?? '';
}

const tables: Readonly<Record<string, string>> = {
  connections: under('# What connections and calls hold'),
  memory: under('## What the limits hold in memory'),
};
const section = Object.values(tables).join('\n');

function cellsOf(text: string): string[] {
  return text
    .split('\n')
    .filter((line) => line.startsWith('| '))
    .flatMap((line) => line.split('|').map((cell) => cell.trim().replace(/^[\w ]+: /, '')))
    .filter((cell) => cell.includes(' = '));
}
const mebibyte = 1_048_576;

/** Limits that hold no memory beside others: they bound one field or one message, a time, or work instead of memory. */
const holdNothing: readonly (keyof Limits)[] = [
  ...(['resultBytes', 'envelopeBytes', 'keyChars', 'nameChars', 'tags', 'tagBytes'] as const),
  ...(['logLineChars', 'reasonChars', 'progressNoteChars', 'contentTypeChars', 'cursorChars'] as const),
  ...(['requestIdChars', 'errorTypeChars', 'leaseBytes', 'batchItems', 'historyEvents'] as const),
  ...(['troubleExamined', 'troubleLanes', 'troubleGroups'] as const),
  ...([
    'pageExamined',
    'listExamined',
    'redriveItems',
    'commandIds',
    'listedQueues',
    'maxAttempts',
    'maxLosses',
  ] as const),
  ...(['lossesBeforeAlone', 'releases', 'runAheadMs', 'windowMinMs', 'windowMaxMs'] as const),
  ...(['lifetimeMaxMs', 'retentionMaxMs', 'attemptTimeoutMaxMs', 'backoffMaxMs'] as const),
  ...(['redriveBeforeExpiryMs', 'endBeforeExpiryMs', 'deliveryReceives', 'claimWaitMs'] as const),
  // One stream may have so many unsent bytes only if the sums of its identity and of the node allow it.
  'streamBufferBytes',
];

function factor(text: string): number {
  const sum = /^\((.*)\)$/.exec(text);
  if (sum !== null) return (sum[1] ?? '').split(' + ').reduce((all, term) => all + factor(term), 0);
  const bytes = /^([\d,]+) B$/.exec(text);
  if (bytes !== null) return Number(bytes[1]?.replaceAll(',', ''));
  if (/^\d+$/.test(text)) return Number(text);
  const name = /^`(\w+)`$/.exec(text)?.[1];
  if (name === undefined || !(name in limits)) throw new RangeError(`'${text}' is no limit`);
  return limits[name as keyof Limits];
}

it('the docs have the right sum of each product of limits', () => {
  for (const text of Object.values(tables)) expect(cellsOf(text).length).toBeGreaterThan(8);
  for (const cell of cellsOf(section)) {
    const [product = '', sum = ''] = cell.split(' = ');
    const bytes = product.split(' × ').reduce((all, text) => all * factor(text), 1);
    const mebibytes = Math.round((10 * bytes) / mebibyte) / 10;
    expect(`${product} = ${mebibytes.toLocaleString('en')} MiB`).toBe(`${product} = ${sum}`);
  }
});

it('the docs have each limit in a product, unless it holds no memory beside others', () => {
  const named = new Set([...section.matchAll(/`(\w+)`/g)].map(([, name]) => name as string));
  const missing = Object.keys(limits).filter(
    (name) => !named.has(name) && !holdNothing.includes(name as keyof Limits),
  );
  expect(missing).toEqual([]);
  expect(holdNothing.filter((name) => named.has(name))).toEqual([]);
});
