/**
 * The numbers of enumerations on the wire, as proto/holdfast/v1 has them. The codec, the API, the SDK and the command
 * share these tables; a test compares them with the generated code.
 */

export const priorityNumbers = { high: 1, normal: 2, low: 3 } as const;

export const stateNumbers = {
  scheduled: 1,
  ready: 2,
  running: 3,
  succeeded: 4,
  dead: 5,
  cancelled: 6,
  reserved: 7,
} as const;

export const whenDeadNumbers = { return: 1, redrive: 2 } as const;

/**
 * Returns the words of an enumeration as a list, each at the index of its wire number, for a decoder that looks words
 * up often.
 */
export function wordsByNumber<W extends string>(
  numbers: Readonly<Record<W, number>>,
): readonly (W | undefined)[] {
  const words: (W | undefined)[] = [undefined];
  for (const word in numbers) words[numbers[word]] = word;
  return words;
}

/**
 * Returns the word of an enumeration's wire number, or undefined for 0 and for a number that the enumeration does not
 * have.
 */
export function wordOf<W extends string>(
  numbers: Readonly<Record<W, number>>,
  number: number,
): W | undefined {
  for (const word in numbers) if (numbers[word] === number) return word;
  return undefined;
}
