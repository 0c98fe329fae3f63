import type { Submission } from '../../src/core/submission/submission.ts';

function abbreviate(key: string, value: unknown): unknown {
  // A submission never changes, so its key and its time of acceptance identify it.
  if (key !== 'submission') return value;
  const { scope, acceptedAtMs } = value as Submission;
  return `${scope.key}@${acceptedAtMs}`;
}

/** Returns a text that is equal for equal values and different for different ones. */
export function textOf(value: unknown): string {
  return JSON.stringify(value, abbreviate) ?? '';
}

/** Gives each value a number: equal values have the same number. */
export class ValueNumbers {
  readonly #known = new Map<string, number>();

  numberOf(value: unknown): number {
    const text = textOf(value);
    const known = this.#known.get(text) ?? this.#known.size + 1;
    this.#known.set(text, known);
    return known;
  }
}
