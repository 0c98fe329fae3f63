/** The settings of the default log, which the environment names. */
import { isatty } from 'node:tty';
import { HoldfastError } from '../../core/errors.ts';

/** The levels of the log with the numbers that a line carries, which are those of pino. */
export const levelNumbers = {
  ...{ trace: 10, debug: 20, info: 30, warn: 40, error: 50, fatal: 60 },
  silent: Number.POSITIVE_INFINITY,
} as const;

export type LogLevel = keyof typeof levelNumbers;

const levels = Object.keys(levelNumbers) as LogLevel[];
const forms = ['json', 'text'] as const;
export type LogForm = (typeof forms)[number];

/** Returns a setting that is one of some words. */
function oneOf<T extends string>(variable: string, what: string, words: readonly T[], byDefault: T): T {
  const value = process.env[variable] || byDefault;
  const found = words.find((word) => word === value);
  if (found !== undefined) return found;
  const message = `The environment variable ${variable} is '${value.slice(0, 64)}', which is no ${what} of the log.`;
  throw new HoldfastError('INVALID_ARGUMENT', 'BAD_FIELD', message, {
    help: `Use one of ${words.join(', ')}.`,
  });
}

/**
 * Returns the level that HOLDFAST_LOG names (default `info`), and the form that HOLDFAST_LOG_FORMAT names (default: text if
 * standard error is a terminal, otherwise JSON lines).
 *
 * @throws HoldfastError BAD_FIELD if one of these variables has a value that means nothing.
 */
export function logSettings(): { readonly level: LogLevel; readonly form: LogForm } {
  const form = oneOf('HOLDFAST_LOG_FORMAT', 'format', forms, isatty(2) ? 'text' : 'json');
  return { form, level: oneOf('HOLDFAST_LOG', 'level', levels, 'info') };
}
