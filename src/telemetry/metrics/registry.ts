import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import type { GaugeSource, Gauges } from '../../ports/metrics.ts';
import { BoundedNames, other } from './bounded-names.ts';
import {
  type CounterName,
  catalogue,
  definitionOf,
  type HistogramName,
  type MetricName,
} from './catalogue/catalogue.ts';
import { type MetricDefinition, names } from './catalogue/metric.ts';
import { Counter, Histogram, type LabelSet, type Reading } from './series.ts';
import { SourceReader } from './source-reader.ts';

/** How many series one metric may have. Every further one is counted with all its names as `_other`. */
const mostSeries = 2_000;

/** The longest time in ms that a collection waits for its sources. One that takes longer shows its last values. */
const mostWaitMs = 5_000;

type Labels = Readonly<Record<string, string>>;

/** One metric as it was collected. */
export interface CollectedMetric {
  readonly name: MetricName;
  readonly definition: MetricDefinition;
  /** The values of counters and gauges. */
  readonly readings: readonly Reading[];
  readonly histograms: readonly Histogram[];
}

interface Metric {
  readonly name: MetricName;
  readonly definition: MetricDefinition;
  readonly labelNames: readonly string[];
  readonly counters: Map<string, Counter>;
  readonly histograms: Map<string, Histogram>;
}

export interface RegistryOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** True if histograms keep exponential buckets too. */
  readonly isExponential?: boolean | undefined;
  /** The tenants whose series have the label `tenant`. All other tenants share the series without that label. */
  readonly tenants?: readonly string[] | undefined;
}

/**
 * The numbers of all metrics of a process. Counters and histograms are added to as things happen; gauges are read from
 * their sources at each collection.
 */
export class Registry {
  readonly tenants: ReadonlySet<string>;
  readonly #options: RegistryOptions;
  readonly #metrics = new Map<MetricName, Metric>();
  /** The names of each label, shared by all metrics, so that a queue is shown or left out everywhere. */
  readonly #names = new Map<string, BoundedNames>();
  readonly #sources: SourceReader[] = [];

  constructor(options: RegistryOptions) {
    this.#options = options;
    this.tenants = new Set(options.tenants);
  }

  /** Returns the counter of these label values. Callers keep it, so that they look it up once. */
  counter(name: CounterName, labels: Labels): Counter {
    const metric = this.#metric(name);
    const { key, values } = this.#series(metric, metric.counters, labels);
    const known = metric.counters.get(key);
    if (known !== undefined) return known;
    const made = new Counter(values);
    metric.counters.set(key, made);
    return made;
  }

  histogram(name: HistogramName, labels: Labels): Histogram {
    const metric = this.#metric(name);
    const { key, values } = this.#series(metric, metric.histograms, labels);
    const known = metric.histograms.get(key);
    if (known !== undefined) return known;
    const { bounds } = catalogue[name];
    const made = new Histogram(values, bounds, this.#options.isExponential === true);
    metric.histograms.set(key, made);
    return made;
  }

  /** Returns the name if it is one of the first names of this label, otherwise `_other`. */
  boundedName(label: string, name: string): string {
    let known = this.#names.get(label);
    if (known === undefined) {
      known = new BoundedNames();
      this.#names.set(label, known);
    }
    return known.of(name);
  }

  addSource(source: GaugeSource): void {
    this.#sources.push(new SourceReader(source, this.#options));
  }

  /** Reads the sources that are due, and returns every metric that has a value, in the order of the catalogue. */
  async collect(): Promise<readonly CollectedMetric[]> {
    const { clock } = this.#options;
    const over = new AbortController();
    const reads = Promise.all(this.#sources.map((source) => source.readIfDue()));
    await Promise.race([reads, clock.sleep(mostWaitMs, over.signal)]);
    over.abort();
    const read = new Map<MetricName, Map<string, Reading>>();
    const gauges: Gauges = { set: (name, labels, value) => this.#combine(read, name, labels, value) };
    for (const source of this.#sources) source.replay(gauges);
    return (Object.keys(catalogue) as MetricName[])
      .map((name) => {
        const { definition, counters, histograms } = this.#metric(name);
        const readings: Reading[] = [...counters.values(), ...(read.get(name)?.values() ?? [])];
        return { name, definition, readings, histograms: [...histograms.values()] };
      })
      .filter(({ readings, histograms }) => readings.length + histograms.length > 0);
  }

  #combine(read: Map<MetricName, Map<string, Reading>>, name: string, labels: Labels, value: number): void {
    if (definitionOf(name) === undefined) throw new RangeError(`the catalogue has no metric '${name}'`);
    const metric = this.#metric(name as MetricName);
    let readings = read.get(metric.name);
    if (readings === undefined) {
      readings = new Map();
      read.set(metric.name, readings);
    }
    const { key, values } = this.#series(metric, readings, labels);
    const known = readings.get(key);
    const { definition } = metric;
    const combine = definition.kind === 'gauge' ? definition.combine : 'sum';
    if (known === undefined) readings.set(key, { labels: values, value });
    else if (combine === 'sum') known.value += value;
    else known.value = Math[combine](known.value, value);
  }

  #metric(name: MetricName): Metric {
    const known = this.#metrics.get(name);
    if (known !== undefined) return known;
    const definition: MetricDefinition = catalogue[name];
    const made: Metric = {
      name,
      definition,
      labelNames: labelNamesOf(definition),
      counters: new Map(),
      histograms: new Map(),
    };
    this.#metrics.set(name, made);
    return made;
  }

  #series(
    metric: Metric,
    known: ReadonlyMap<string, unknown>,
    labels: Labels,
  ): { readonly key: string; readonly values: LabelSet } {
    const values = metric.labelNames.map((label) => this.#valueOf(metric, label, labels[label] ?? ''));
    const key = values.join('\n');
    if (known.has(key) || known.size < mostSeries) return { key, values };
    const { definition } = metric;
    const shared = values.map((value, i) =>
      definition.labels[metric.labelNames[i] as string] === names ? other : value,
    );
    return { key: shared.join('\n'), values: shared };
  }

  #valueOf({ definition }: Metric, label: string, value: string): string {
    if (label === tenantLabel) return this.tenants.has(value) ? value : '';
    const allowed = definition.labels[label];
    if (allowed === names) return value === '' ? '' : this.boundedName(label, value);
    return allowed?.includes(value) === true ? value : other;
  }
}

export const tenantLabel = 'tenant';

/** Returns the labels of a metric in their order. A metric of queues also has the tenant, which is mostly empty. */
export function labelNamesOf({ labels }: MetricDefinition): readonly string[] {
  const own = Object.keys(labels);
  return own.includes('queue') ? [...own, tenantLabel] : own;
}
