import pino, { type Logger } from 'pino';

let shared: Logger | undefined;

/** JSON lines on standard error; level HOLDFAST_LOG, default `info`. Made when first asked for. */
export function defaultLog(): Logger {
  shared ??= pino(
    // Our messages tell what their causes said; the causes follow on their own, not once more in the message.
    { level: process.env.HOLDFAST_LOG || 'info', serializers: { err: pino.stdSerializers.errWithCause } },
    pino.destination({ dest: 2, sync: true }),
  );
  return shared;
}
