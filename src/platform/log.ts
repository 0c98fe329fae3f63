import pino, { type Logger } from 'pino';
import { boundedFields } from '../core/foreign/plain-copy.ts';
import { passLine } from './log/line-reader.ts';
import { serializeError } from './log/log-errors.ts';
import { levelNumbers, logSettings } from './log/log-settings.ts';
import { logText } from './log/log-text.ts';

let shared: Logger | undefined;

/**
 * Returns the default log, which writes on standard error: text for people if it is a terminal, otherwise JSON lines, unless
 * HOLDFAST_LOG_FORMAT names one of both. HOLDFAST_LOG is its level (default `info`).
 *
 * @throws HoldfastError BAD_FIELD if one of these variables has a value that means nothing.
 */
export function defaultLog(): Logger {
  if (shared !== undefined) return shared;
  const { form, level } = logSettings();
  const isWhole = (): boolean => (shared?.levelVal ?? levelNumbers.info) <= levelNumbers.debug;
  const streamWrite = (line: string): string => {
    passLine(line);
    return form === 'text' ? logText(line) : line;
  };
  shared = pino(
    {
      level,
      serializers: { err: (err: unknown) => serializeError(err, isWhole()) },
      formatters: { log: boundedFields },
      hooks: { streamWrite },
    },
    pino.destination({ dest: 2, sync: true }),
  );
  return shared;
}
