import pino, { type Logger } from 'pino';
import { HoldfastError } from '../core/errors.ts';

let shared: Logger | undefined;

/** An error of ours says what happened and what to do; where it was thrown only matters where it is a defect. */
function toldError(err: unknown): unknown {
  const level = shared?.level;
  const isWhole = level === 'debug' || level === 'trace';
  if (!(err instanceof HoldfastError) || err.code === 'INTERNAL' || isWhole) {
    // Our messages tell what their causes said; the causes follow on their own, not once more in the message.
    return err instanceof Error ? pino.stdSerializers.errWithCause(err) : err;
  }
  const { code, reason, message, help, taskId } = err;
  return { code, reason, message, help, taskId };
}

/** JSON lines on standard error; level HOLDFAST_LOG, default `info`. Made when first asked for. */
export function defaultLog(): Logger {
  shared ??= pino(
    { level: process.env.HOLDFAST_LOG || 'info', serializers: { err: toldError } },
    pino.destination({ dest: 2, sync: true }),
  );
  return shared;
}
