/** Writes metrics as lines of EMF, the Embedded Metric Format, of which CloudWatch makes metrics when it stores a log line. */
import { type EmfValues, totals } from './emf-values.ts';
import { type EmfMetric, emfMetrics, queueDimension } from './names.ts';

/** Makes the lines of one process, with the increase of each total since its lines before. */
export class EmfLines {
  readonly #namespace: string;
  readonly #before = new Map<string, number>();

  constructor(namespace: string) {
    this.#namespace = namespace;
  }

  /** Returns a line for each queue and one for the process; none for a part without a value. */
  of(values: EmfValues, nowMs: number): string[] {
    const lines: string[] = [];
    for (const [queue, metrics] of values.queues)
      lines.push(this.#line({ [queueDimension]: queue }, metrics, nowMs));
    if (values.process.size > 0) lines.push(this.#line({}, values.process, nowMs));
    return lines;
  }

  #line(
    dimensions: Readonly<Record<string, string>>,
    metrics: ReadonlyMap<EmfMetric, number>,
    nowMs: number,
  ): string {
    const of = Object.values(dimensions).join('\n');
    const shown = [...metrics].map(([metric, value]) => [metric, this.#shown(metric, of, value)] as const);
    return JSON.stringify({
      _aws: {
        Timestamp: nowMs,
        CloudWatchMetrics: [
          {
            Namespace: this.#namespace,
            Dimensions: [Object.keys(dimensions)],
            Metrics: shown.map(([metric]) => ({
              Name: emfMetrics[metric].name,
              Unit: emfMetrics[metric].unit,
            })),
          },
        ],
      },
      ...dimensions,
      ...Object.fromEntries(shown.map(([metric, value]) => [emfMetrics[metric].name, value])),
    });
  }

  #shown(metric: EmfMetric, of: string, value: number): number {
    if (!totals.has(metric)) return value;
    const key = `${metric}\n${of}`;
    const before = this.#before.get(key) ?? 0;
    this.#before.set(key, value);
    return value - before;
  }
}
