import pino, { type Logger } from 'pino';
import { HoldfastError } from '../core/errors.ts';

let shared: Logger | undefined;

/**
 * Serializes an error for a log line. A HoldfastError is logged without its stack, unless it is a defect or the level
 * is debug.
 */
function serializeError(err: unknown): unknown {
  const level = shared?.level;
  const isWhole = level === 'debug' || level === 'trace';
  if (!(err instanceof HoldfastError) || err.code === 'INTERNAL' || isWhole) {
    // Causes are logged as nested errors, so the message need not repeat them.
    return err instanceof Error ? pino.stdSerializers.errWithCause(err) : err;
  }
  const { code, reason, message, help, taskId } = err;
  return { code, reason, message, help, taskId };
}

/** Returns the default log: JSON lines on standard error, at the level of HOLDFAST_LOG (default `info`). */
export function defaultLog(): Logger {
  shared ??= pino(
    { level: process.env.HOLDFAST_LOG || 'info', serializers: { err: serializeError } },
    pino.destination({ dest: 2, sync: true }),
  );
  return shared;
}
