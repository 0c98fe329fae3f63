/**
 * The default log of the SDK. Its lines are those of the log of servers (`log.ts`), which is written by pino. A bundle of an
 * application holds no pino: it is CommonJS that loads modules of Node, which an ES module by esbuild cannot.
 */
import { writeSync } from 'node:fs';
import { hostname } from 'node:os';
import { boundedFields } from '../../core/foreign/plain-copy.ts';
import { passLine } from './line-reader.ts';
import { serializeError } from './log-errors.ts';
import { type LogLevel, levelNumbers, logSettings } from './log-settings.ts';
import { logText } from './log-text.ts';

/** The number of times that a line is written to a pipe which is full. After them the line is lost. */
const mostTries = 100;

interface LineLog {
  debug(fields: object | string, message?: string): void;
  info(fields: object | string, message?: string): void;
  warn(fields: object | string, message?: string): void;
  error(fields: object | string, message?: string): void;
}

let shared: LineLog | undefined;

/**
 * Returns a log that writes on standard error as `defaultLog` does, by the same environment variables, without pino.
 *
 * @throws HoldfastError BAD_FIELD if HOLDFAST_LOG or HOLDFAST_LOG_FORMAT has a value that means nothing.
 */
export function lineLog(): LineLog {
  shared ??= newLog();
  return shared;
}

function newLog(): LineLog {
  const { level: least, form } = logSettings();
  const isWhole = levelNumbers[least] <= levelNumbers.debug;
  const base = { pid: process.pid, hostname: hostname() };
  const at = (level: LogLevel) => (first: object | string, message?: string) => {
    if (levelNumbers[level] < levelNumbers[least]) return;
    const fields: Record<string, unknown> = typeof first === 'string' ? {} : boundedFields(first);
    const msg = typeof first === 'string' ? first : message;
    if (fields.err !== undefined) fields.err = serializeError(fields.err, isWhole);
    const line = `${JSON.stringify({ level: levelNumbers[level], time: Date.now(), ...base, ...fields, msg })}\n`;
    passLine(line);
    write(form === 'text' ? logText(line) : line);
  };
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}

/** Writes at once, so that the last lines of a process that ends are not lost. */
function write(line: string): void {
  let left = Buffer.from(line);
  for (let tries = 0; left.length > 0 && tries < mostTries; tries++) {
    try {
      left = left.subarray(writeSync(2, left));
    } catch (thrown) {
      if ((thrown as NodeJS.ErrnoException).code !== 'EAGAIN') throw thrown;
    }
  }
}
