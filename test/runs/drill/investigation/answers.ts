/** The forms of the answers that an investigator gets, and how it reads them. */

/** One series of Prometheus with its value now. */
export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** One line of a log, by its fields. */
export type Line = Readonly<Record<string, string>>;

/** One span, as far as it is read here. */
export interface Span {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentId: string;
  readonly name: string;
  readonly kind: string;
  readonly ms: number;
  readonly isError: boolean;
  readonly attributes: Readonly<Record<string, string | number | boolean>>;
  readonly service: string;
  readonly version: string;
}

/** A group of `holdfast trouble --json`. */
export interface Trouble {
  readonly verdict: string;
  readonly queue?: string;
  readonly sentence: string;
  readonly count: number;
  readonly oldestIds: readonly string[];
  readonly evidence: Readonly<Record<string, string>>;
}

/** The answer of a verb of the command with `--json`: its result, or its error. */
export interface CommandAnswer {
  readonly status: number;
  readonly result: {
    readonly error?: { readonly code: string; readonly reason: string; readonly message: string };
    readonly groups?: readonly Trouble[];
    readonly verdict?: string;
    readonly [field: string]: unknown;
  };
}

export function totalOf(samples: readonly Sample[], labels: Readonly<Record<string, string>> = {}): number {
  return samples
    .filter((sample) => Object.entries(labels).every(([label, value]) => sample.labels[label] === value))
    .reduce((sum, { value }) => sum + value, 0);
}

/** Returns the value of the label whose samples have the largest sum, or undefined if all sums are 0. */
export function mostOf(samples: readonly Sample[], label: string): string | undefined {
  const values = [...new Set(samples.map(({ labels }) => labels[label] ?? ''))];
  const sums = values.map((value) => [value, totalOf(samples, { [label]: value })] as const);
  const [most] = sums.filter(([, sum]) => sum > 0).sort(([, one], [, other]) => other - one);
  return most?.[0];
}

/**
 * Returns the call to another service that takes most of the time of slow attempts: a span of a client below the span of an
 * attempt, that is at least this share of it.
 */
export function slowCallOf(spans: readonly Span[], leastMs: number, leastShare: number): Span | undefined {
  const attempts = spans.filter(({ kind, ms }) => kind === 'consumer' && ms >= leastMs);
  return spans.find(
    (span) =>
      span.kind === 'client' &&
      attempts.some(({ spanId, ms }) => span.parentId === spanId && span.ms >= leastShare * ms),
  );
}
