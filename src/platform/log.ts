import { isatty } from 'node:tty';
import pino, { type Logger } from 'pino';
import { HoldfastError } from '../core/errors.ts';
import { limits } from '../core/limits.ts';
import { boundedFields, plainCopy } from '../core/plain-copy.ts';
import { errorText, isInstance, readProperty } from '../core/untrusted.ts';
import { logText } from './log-text.ts';

let shared: Logger | undefined;
/** Gets each line of the default log as JSON, if something in this process reads the lines too. */
let reader: ((line: string) => void) | undefined;

/**
 * Serializes an error for a log line. A HoldfastError is logged without its stack, unless it is a defect or the level
 * is debug.
 */
function serializeError(err: unknown): unknown {
  const level = shared?.level;
  const isWhole = level === 'debug' || level === 'trace';
  if (!isInstance(err, HoldfastError) || err.code === 'INTERNAL' || isWhole) {
    return isInstance(err, Error) ? wholeError(err) : plainCopy(err, limits.logLineChars);
  }
  const { code, reason, message, help, taskId } = err;
  return { code, reason, message, help, taskId };
}

/** Serializes an error with its stack, its causes and its own fields. */
function wholeError(err: Error): unknown {
  try {
    // Causes are logged as nested errors, so the message need not repeat them.
    return plainCopy(pino.stdSerializers.errWithCause(err), limits.logLineChars);
  } catch {
    // The error is frozen, has a getter that throws, or is a proxy.
    const { message, name } = errorText(err);
    return plainCopy({ type: name, message, stack: readProperty(err, 'stack') }, limits.logLineChars);
  }
}

const levels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
const forms = ['json', 'text'] as const;
type LogForm = (typeof forms)[number];

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
 * Returns the default log, which writes on standard error: text for people if it is a terminal, otherwise JSON lines, unless
 * HOLDFAST_LOG_FORMAT names one of both. HOLDFAST_LOG is its level (default `info`).
 *
 * @throws HoldfastError BAD_FIELD if one of these variables has a value that means nothing.
 */
export function defaultLog(): Logger {
  if (shared !== undefined) return shared;
  const form: LogForm = oneOf('HOLDFAST_LOG_FORMAT', 'format', forms, isatty(2) ? 'text' : 'json');
  const streamWrite = (line: string): string => {
    reader?.(line);
    return form === 'text' ? logText(line) : line;
  };
  shared = pino(
    {
      level: oneOf('HOLDFAST_LOG', 'level', levels, 'info'),
      serializers: { err: serializeError },
      formatters: { log: boundedFields },
      hooks: { streamWrite },
    },
    pino.destination({ dest: 2, sync: true }),
  );
  return shared;
}

/**
 * Passes each line that the default log writes from now on to a function too, as JSON. The function must not throw. Returns
 * a function that ends this.
 */
export function readLines(read: (line: string) => void): () => void {
  reader = read;
  return () => {
    if (reader === read) reader = undefined;
  };
}
