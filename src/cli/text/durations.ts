import { InvalidArgumentError, Option } from '@commander-js/extra-typings';
import { durationMs } from '../../client/duration.ts';
import { limits, timing } from '../../core/limits.ts';
import { acceptanceTime } from './numbers.ts';

/** Converts a flag's value to milliseconds. */
export function parseDuration(text: string): number {
  try {
    return durationMs(text as `${number}s`);
  } catch {
    throw new InvalidArgumentError("Write a number and one of ms, s, m, h, d, such as '10s' or '5m'.");
  }
}

/** Parses the end of something: a time with its zone, or a length from now. */
export function timeAhead(text: string): Date {
  return timeOrLength(text, (nowMs, lengthMs) => nowMs + lengthMs);
}

/** Parses the begin of a time span: a time with its zone, or a length before now. */
export function timeBack(text: string): Date {
  return timeOrLength(text, (nowMs, lengthMs) => nowMs - lengthMs);
}

function timeOrLength(text: string, from: (nowMs: number, lengthMs: number) => number): Date {
  const ms = /^\d{4}-/.test(text) ? acceptanceTime(text) : from(Date.now(), lengthOf(text));
  const date = new Date(ms);
  if (ms > 0 && !Number.isNaN(date.getTime())) return date;
  throw new InvalidArgumentError('That is no time of the calendar.');
}

function lengthOf(text: string): number {
  try {
    return durationMs(text as `${number}s`);
  } catch {
    throw new InvalidArgumentError(
      "Write a time with its zone, such as '2026-07-01T12:00:00Z', or a length, such as '30m' or '2h'.",
    );
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
