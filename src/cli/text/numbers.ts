import { InvalidArgumentError } from '@commander-js/extra-typings';

/** Reads a whole number of a range from the command line, so that a slip is told at once and never sent. */
export function whole(least: number, most: number): (text: string) => number {
  return (text) => {
    const number = Number(text);
    if (text.trim() === '' || !Number.isInteger(number) || number < least || number > most) {
      throw new InvalidArgumentError(`Write a whole number from ${least} to ${most}.`);
    }
    return number;
  };
}

/** For flags that may be given several times, one value each: a variadic one would swallow the words after it. */
export function collect(value: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), value];
}

export const defaultPorts = { grpc: 7233, http: 7280 } as const;

export const port = whole(0, 65_535);
