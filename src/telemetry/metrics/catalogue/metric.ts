/** The definitions of metrics: their names, kinds, units and labels, and what uses them. */

/** The names of task types and queues, of which an installation may have any number. The registry bounds them. */
export const names = 'names';

/** The values of a label: a closed set, or names that the registry bounds. */
export type LabelValues = readonly string[] | typeof names;

export type MetricUnit = 's' | 'By' | '1' | `{${string}}`;

interface MetricBase {
  readonly unit: MetricUnit;
  readonly labels: Readonly<Record<string, LabelValues>>;
  readonly description: string;
  /** The alert, panel or verdict that uses the metric. */
  readonly usedBy: string;
  /** The processes that have the metric. */
  readonly on: readonly ('server' | 'worker' | 'canary')[];
}

export interface CounterDefinition extends MetricBase {
  readonly kind: 'counter';
}

export interface GaugeDefinition extends MetricBase {
  readonly kind: 'gauge';
  /** How several values with the same labels are combined, such as those of two tenants' queues of one name. */
  readonly combine: 'sum' | 'max' | 'min';
}

export interface HistogramDefinition extends MetricBase {
  readonly kind: 'histogram';
  /** The upper bounds of the classic buckets, in the unit of the metric. */
  readonly bounds: readonly number[];
}

export type MetricDefinition = CounterDefinition | GaugeDefinition | HistogramDefinition;

/** The bounds in seconds that the semantic conventions name for calls. */
export const callBounds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10] as const;
/** The bounds in seconds of times that tasks wait or run: 5 s is the objective of the start latency. */
export const taskBounds = [0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1_800, 3_600] as const;
