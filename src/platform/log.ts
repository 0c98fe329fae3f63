import pino, { type Logger } from 'pino';

let shared: Logger | undefined;

/** JSON lines on standard error; level HOLDFAST_LOG, default `info`. Made when first asked for. */
export function defaultLog(): Logger {
  shared ??= pino({ level: process.env.HOLDFAST_LOG || 'info' }, pino.destination({ dest: 2, sync: true }));
  return shared;
}
