import { InvalidArgumentError } from '@commander-js/extra-typings';

/** Returns a parser for a whole number within a range, so that a wrong number is refused before anything is sent. */
export function wholeNumber(least: number, most: number): (text: string) => number {
  return (text) => {
    const number = Number(text);
    if (text.trim() === '' || !Number.isInteger(number) || number < least || number > most) {
      throw new InvalidArgumentError(`Write a whole number from ${least} to ${most}.`);
    }
    return number;
  };
}

const timePattern = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,3})?)?(Z|[+-]\d\d:\d\d))?$/;

/** Parses a date or a time with its zone, as the command prints them, to milliseconds since the epoch. */
export function acceptanceTime(text: string): number {
  const ms = timePattern.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(ms) || ms <= 0) {
    throw new InvalidArgumentError("Write a date or a time with its zone, such as '2026-07-01T12:00:00Z'.");
  }
  return ms;
}

/**
 * Collects the values of a flag that may be repeated. A variadic flag would also take the words that follow its value.
 */
export function collect(value: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), value];
}

export const defaultPorts = { grpc: 7433, http: 7480 } as const;

export const port = wholeNumber(0, 65_535);
