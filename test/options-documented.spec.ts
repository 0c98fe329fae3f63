/** Compares the numbers in docs/options.md with src/core/limits.ts. */
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { silent } from '../src/client/log.ts';
import { defaults, limits, timing } from '../src/core/limits.ts';
import { canaryQueue, slotMs } from '../src/core/objectives/objectives.ts';
import { connect, defineTask, typed } from '../src/index.ts';

const text = readFileSync(new URL('../docs/options.md', import.meta.url), 'utf8').replace(/\s+/g, ' ');
const lines = readFileSync(new URL('../docs/options.md', import.meta.url), 'utf8').split('\n');
const telemetryAt = lines.indexOf('## Settings of telemetry');

/** Returns the rows of tables by their first cells. */
function rowsOf(some: readonly string[]) {
  return new Map(
    some
      .filter((line) => /^\| (`|the |canary: )/.test(line))
      .map((line) => line.split('|').map((cell) => cell.trim()))
      .map(([, name = '', byDefault = '', limit = '']) => [name, { byDefault, limit }]),
  );
}

const rows = rowsOf(lines.slice(0, telemetryAt));

const units = [
  ['days', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
  ['s', 1_000],
] as const;

/** Formats a duration as the docs do, in days only from two days on. */
function long(ms: number): string {
  const found = units.find(([unit, size]) => ms % size === 0 && ms / size > (unit === 'days' ? 1 : 0));
  return found === undefined ? `${ms} ms` : `${ms / found[1]} ${found[0]}`;
}

const characters = `${limits.keyChars} characters`;
const kib = (bytes: number): string => `${bytes / 1_024} KiB`;

it('docs/options.md has the default and the limit of every option', () => {
  expect(Object.fromEntries(rows)).toEqual({
    '`idempotencyKey`': { byDefault: "the contract's, else a random one", limit: characters },
    '`window`': {
      byDefault: long(defaults.windowMs),
      limit: `${long(limits.windowMinMs)} to ${long(limits.windowMaxMs)}`,
    },
    '`whenDead`': { byDefault: '`return`', limit: '' },
    '`delay`, `runAt`': { byDefault: 'none', limit: `${long(limits.runAheadMs)} ahead` },
    '`deadline`': { byDefault: 'none', limit: '' },
    '`lifetime`': { byDefault: long(defaults.lifetimeMs), limit: long(limits.lifetimeMaxMs) },
    '`retention`': { byDefault: long(defaults.retentionMs), limit: long(limits.retentionMaxMs) },
    '`orderingKey`': { byDefault: "the contract's, else none", limit: characters },
    '`priority`': { byDefault: "the contract's, else `normal`", limit: '' },
    '`tags`': { byDefault: 'none', limit: `${limits.tags}, each ${limits.tagBytes} bytes` },
    // docs/options.md has two rows for `queue`; the later row, of a task type, replaces the row of a submission.
    '`queue`': { byDefault: '`default`', limit: `${limits.nameChars} characters` },
    '`timeout`': { byDefault: long(defaults.attemptTimeoutMs), limit: long(limits.attemptTimeoutMaxMs) },
    '`retry.maxAttempts`': {
      byDefault: String(defaults.maxAttempts),
      limit: limits.maxAttempts.toLocaleString('en'),
    },
    '`retry.backoff.base`': { byDefault: long(defaults.backoffBaseMs), limit: long(limits.backoffMaxMs) },
    '`retry.backoff.factor`': { byDefault: String(defaults.backoffFactor), limit: '' },
    '`retry.backoff.max`': { byDefault: long(defaults.backoffMaxMs), limit: long(limits.backoffMaxMs) },
    '`maxLosses`': {
      byDefault: String(defaults.maxLosses),
      limit: `${limits.lossesBeforeAlone + 1} to ${limits.maxLosses.toLocaleString('en')}`,
    },
    '`version`': { byDefault: String(defaults.typeVersion), limit: '' },
    'the input, as JSON': { byDefault: '', limit: kib(limits.payloadBytes) },
    'the result, as JSON': { byDefault: '', limit: kib(limits.resultBytes) },
  });
});

it('docs/options.md has the defaults of the canary', () => {
  const canary = rowsOf(lines.slice(telemetryAt));
  expect(canary.get('canary: `--queue`')?.byDefault).toBe(`\`${canaryQueue}\``);
  expect(canary.get('canary: `--slot`')?.byDefault).toMatch(`${long(slotMs)}, `);
});

/** Returns the longest total wait between this many attempts, in ms. The mean total wait is half of it. */
function mostWaitMs(attempts: number): number {
  const { backoffBaseMs, backoffFactor, backoffMaxMs } = defaults;
  const waits = Array.from({ length: attempts - 1 }, (_, i) => backoffBaseMs * backoffFactor ** i);
  return waits.reduce((sum, wait) => sum + Math.min(wait, backoffMaxMs), 0);
}

it('README.md says how soon a task is dead whose attempts fail at once', () => {
  const most = mostWaitMs(defaults.maxAttempts);
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8').replace(/\s+/g, ' ');
  const words = ['no', 'one', 'two', 'three', 'four', 'five', 'six'];
  expect(readme).toContain(`has ${words[defaults.maxAttempts]} attempts`);
  expect(readme).toContain(
    `dead 0 to ${most / 1_000} s after the first, ${most / 2_000} s in the mean: the ${words[defaults.maxAttempts - 1]} waits`,
  );
});

it('docs/options.md has the times that follow from the defaults', () => {
  const most = mostWaitMs(defaults.maxAttempts);
  expect(text).toContain(`${most / 2_000} s in the mean and never more than ${most / 1_000} s`);
  expect(text).toContain(`\`retry: { maxAttempts: 40 }\``);
  expect(text).toContain(`some ${Math.round(mostWaitMs(40) / 2 / 600_000) * 10} min.`);
  expect(text).toContain(`repeat within ${long(defaults.windowMs)} of acceptance`);
  expect(text).toContain(`by default ${long(defaults.lifetimeMs + defaults.retentionMs)} after its run time`);
  expect(text).toContain(`until ${long(limits.endBeforeExpiryMs)} after its lifetime's end`);
  expect(text).toContain(`up to ${long(timing.sweepMs)} late`);
  expect(text).toContain(
    `within ${(timing.leaseMs + timing.clockGuardMs + timing.sweepMs) / 1_000 <= 35 ? 35 : 'more than 35'} s`,
  );
});

it('a task with a deadline in the past is accepted and dead at once, and a redrive drops the deadline', async () => {
  await using holdfast = connect('memory:', { log: silent });
  const late = defineTask('late', { input: typed<null>() });
  const task = await holdfast.submit(late, null, { deadline: new Date(Date.now() - 1_000) });
  await expect(task.result({ timeout: '10s' })).rejects.toMatchObject({
    reason: 'TASK_DEAD',
    deadReason: 'deadline',
    attempts: 0,
  });
  await task.redrive();
  expect(await task.status()).toMatchObject({ state: 'ready', deadReason: undefined });
});
