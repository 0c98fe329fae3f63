import { boundedFields, plainCopy } from '../core/foreign/plain-copy.ts';
import { limits } from '../core/limits.ts';
import { isInstance, messageOf, textOf } from '../core/untrusted.ts';

/**
 * A structured logger with pino's call signatures: `log.info({ id }, 'message')` or `log.info('message')`. A pino
 * logger can be passed as it is.
 */
export interface Logger {
  debug(fields: object, message?: string): void;
  debug(message: string): void;
  info(fields: object, message?: string): void;
  info(message: string): void;
  warn(fields: object, message?: string): void;
  warn(message: string): void;
  error(fields: object, message?: string): void;
  error(message: string): void;
}

/** A logger that discards every line. */
export const silent: Logger = { debug() {}, info() {}, warn() {}, error() {} };

type Level = keyof Logger;

function atEachLevel(line: (level: Level, first: unknown, message: unknown) => void): Logger {
  const at =
    (level: Level) =>
    (first: unknown, message?: unknown): void =>
      line(level, first, message);
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}

/**
 * Returns a logger that never throws: a task must not fail, and a worker must not end, because a line could not be
 * written. `log` gets lines of a bounded size. If it throws nevertheless, the line is written once more with its fields
 * as plain values, and if that fails too it is lost.
 */
export function neverThrowing(log: Logger): Logger {
  const write = (level: Level, fields: object, message: string | undefined): void => {
    const result: unknown = log[level](fields, message);
    // A logger with async methods must not end the process by a rejection that nothing handles.
    if (isInstance(result, Promise)) result.catch(() => {});
  };
  return atEachLevel((level, first, message) => {
    const isObject = typeof first === 'object' && first !== null;
    const fields = isObject ? boundedFields(first) : message === undefined ? {} : { logged: textOf(first) };
    const line = message !== undefined ? textOf(message) : isObject ? errorMessageOf(fields) : textOf(first);
    try {
      write(level, fields, line);
    } catch (thrown) {
      try {
        const plain = plainCopy(fields, limits.logLineChars) as object;
        write(level, { ...plain, log_error: messageOf(thrown) }, line);
      } catch {}
    }
  });
}

/** Returns the message of a logged error, which loggers use as the message of a line that has none. */
function errorMessageOf({ err }: Record<string, unknown>): string | undefined {
  return isInstance(err, Error) ? messageOf(err) : undefined;
}

/** Returns a logger that adds `fields` to every line and writes it to `log`, which never throws. */
export function withFields(log: Logger, fields: object): Logger {
  return atEachLevel((level, first, message) => {
    if (typeof first === 'object' && first !== null)
      log[level]({ ...fields, ...boundedFields(first) }, message as string);
    else if (message === undefined) log[level](fields, textOf(first));
    else log[level]({ ...fields, logged: textOf(first) }, message as string);
  });
}
