import type { Clock } from '../../ports/clock.ts';
import type { Log, LogFields } from '../../ports/log.ts';

/** The most lines that one listener writes about refusals within `windowMs`. */
const mostLines = 10;
const windowMs = 1_000;

/**
 * Returns a log for the refusals of one listener, which are warnings. Strangers cause them, so that a flood of them must neither
 * fill the disk nor displace the other lines of an export: ten lines a second are written, and the next line after them has
 * the number of those that were not (`unlogged`).
 */
export function refusalLog(log: Log, clock: Pick<Clock, 'monotonic'>): Log {
  let beganAtMs = Number.NEGATIVE_INFINITY;
  let lines = 0;
  let unlogged = 0;
  const warn = (fields: LogFields, message: string): void => {
    const nowMs = clock.monotonic();
    if (nowMs - beganAtMs >= windowMs) {
      beganAtMs = nowMs;
      lines = 0;
    }
    if (lines >= mostLines) {
      unlogged++;
      return;
    }
    lines++;
    log.warn(unlogged === 0 ? fields : { ...fields, unlogged }, message);
    unlogged = 0;
  };
  return {
    debug: (fields, message) => log.debug(fields, message),
    info: (fields, message) => log.info(fields, message),
    warn,
    error: (fields, message) => log.error(fields, message),
  };
}
