import { InvalidArgumentError, Option } from '@commander-js/extra-typings';
import { durationMs } from '../../client/duration.ts';
import { limits, timing } from '../../core/limits.ts';

/** Converts a flag's value to milliseconds. */
export function parseDuration(text: string): number {
  try {
    return durationMs(text as `${number}s`);
  } catch {
    throw new InvalidArgumentError("Write a number and one of ms, s, m, h, d, such as '10s' or '5m'.");
  }
}

function parseDrain(text: string): number {
  const ms = parseDuration(text);
  if (ms <= limits.attemptTimeoutMaxMs) return ms;
  throw new InvalidArgumentError('Write at most 11h, the longest time of an attempt.');
}

/** Returns the flag for the time in which the running tasks of a stopping worker may finish. */
export function drainOption() {
  const text = 'after SIGTERM or Ctrl-C, running tasks may finish within this time';
  return new Option('--drain <length>', text)
    .argParser(parseDrain)
    .default(timing.drainMs, `${timing.drainMs / 1_000}s`);
}
