/** The numbers of one metric under one set of label values. They are plain, so that adding to them costs next to nothing. */

/** The values of a metric's labels, in the order of its definition. */
export type LabelSet = readonly string[];

export class Counter {
  readonly labels: LabelSet;
  value = 0;

  constructor(labels: LabelSet) {
    this.labels = labels;
  }

  add(by: number): void {
    this.value += by;
  }
}

/** How many exponential buckets lie between a value and its double: the scale 3 of OpenTelemetry. */
const bucketsPerDouble = 8;
export const exponentialScale = 3;
/** The smallest and the largest index of an exponential bucket: from below a microsecond to some two days. */
const lowestIndex = -168;
const highestIndex = 143;

/**
 * A histogram with the classic buckets of Prometheus's text and, if `isExponential`, with the exponential ones of OTLP too.
 */
export class Histogram {
  readonly labels: LabelSet;
  readonly bounds: readonly number[];
  /** The number of values in each classic bucket, not summed up; the last one has the values above all bounds. */
  readonly classic: number[];
  sum = 0;
  count = 0;
  zeros = 0;
  readonly #exponential: Uint32Array | undefined;

  constructor(labels: LabelSet, bounds: readonly number[], isExponential: boolean) {
    this.labels = labels;
    this.bounds = bounds;
    if (isExponential) this.#exponential = new Uint32Array(highestIndex - lowestIndex + 1);
    this.classic = new Array<number>(bounds.length + 1).fill(0);
  }

  record(value: number): void {
    const { bounds, classic } = this;
    let bucket = 0;
    while (bucket < bounds.length && value > (bounds[bucket] as number)) bucket++;
    classic[bucket] = (classic[bucket] as number) + 1;
    this.count++;
    if (value <= 0) {
      this.zeros++;
      return;
    }
    this.sum += value;
    if (this.#exponential === undefined) return;
    const index = Math.ceil(Math.log2(value) * bucketsPerDouble) - 1;
    const at = Math.min(Math.max(index, lowestIndex), highestIndex) - lowestIndex;
    this.#exponential[at] = (this.#exponential[at] as number) + 1;
  }

  /** Returns the exponential buckets from the first to the last that is not empty, and the index of the first. */
  exponential(): { readonly offset: number; readonly counts: number[] } {
    const all = this.#exponential;
    const first = all?.findIndex((count) => count > 0) ?? -1;
    if (all === undefined || first === -1) return { offset: 0, counts: [] };
    const last = all.findLastIndex((count) => count > 0);
    return { offset: first + lowestIndex, counts: [...all.subarray(first, last + 1)] };
  }
}

/** A value that was read at the last collection. */
export interface Reading {
  readonly labels: LabelSet;
  value: number;
}
