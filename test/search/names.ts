import type { Submission } from '../../src/core/submission/submission.ts';

function brief(key: string, value: unknown): unknown {
  // A submission never changes, so its key and its time stand for all of it.
  if (key !== 'submission') return value;
  const { scope, acceptedAtMs } = value as Submission;
  return `${scope.key}@${acceptedAtMs}`;
}

/** Tells values apart: equal texts, equal values. */
export function textOf(value: unknown): string {
  return JSON.stringify(value, brief) ?? '';
}

/** A number for each value that was met; equal values have one. */
export class Names {
  readonly #known = new Map<string, number>();

  of(value: unknown): number {
    const text = textOf(value);
    const known = this.#known.get(text) ?? this.#known.size + 1;
    this.#known.set(text, known);
    return known;
  }
}
