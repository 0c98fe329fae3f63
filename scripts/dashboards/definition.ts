/** The parts of a dashboard as plain values. `build.ts` makes the JSON of Grafana of them. */

export interface PromqlQuery {
  readonly promql: string;
  /** The name of a line, with labels in double braces, such as `{{queue}}`. */
  readonly legend: string;
  /** Shows the exemplars of the series, each a link to a trace. */
  readonly exemplars?: true;
}

export interface TraceqlQuery {
  /** A TraceQL text, or a variable that has the id of a trace. */
  readonly traceql: string;
}

export interface LogqlQuery {
  readonly logql: string;
}

export type Query = PromqlQuery | TraceqlQuery | LogqlQuery;

/** `lines` over the time, `numbers` of now, a `table` of spans, one `trace` as a tree, or `logs`. */
export type PanelKind = 'lines' | 'numbers' | 'table' | 'trace' | 'logs';

export interface Panel {
  /** The name by which the catalogue of metrics refers to the panel, beginning with a capital letter. */
  readonly title: string;
  readonly description?: string;
  readonly kind?: PanelKind;
  /** A unit of Grafana, such as `s`, `bytes` or `percentunit`. */
  readonly unit?: string;
  /** True if the panel takes the whole width. */
  readonly isWide?: true;
  readonly queries: readonly Query[];
}

/** A variable that the reader of a dashboard sets: the values of a label, or any text. */
export type Variable =
  | { readonly name: string; readonly label: string; readonly series: string }
  | { readonly name: string; readonly label: string; readonly text: string };

export interface Dashboard {
  /** The name by which the catalogue of metrics refers to the dashboard. */
  readonly name: string;
  readonly description: string;
  readonly variables?: readonly Variable[];
  readonly panels: readonly Panel[];
}

/** The queues that a dashboard shows: all, until the reader chooses. */
export const queueVariable: Variable = {
  name: 'queue',
  label: 'Queue',
  series: 'holdfast_queue_tasks',
};

/** Returns the rate of a counter, summed by labels. `selector` has braces. */
export function rateOf(counter: string, by: string, selector = ''): string {
  return `sum by (${by}) (rate(${counter}${selector}[$__rate_interval]))`;
}

/** Returns a quantile of a histogram, by labels. `histogram` is its name without `_bucket`. */
export function quantileOf(quantile: number, histogram: string, by: string, selector = ''): string {
  const labels = by === '' ? 'le' : `${by}, le`;
  const buckets = `rate(${histogram}_bucket${selector}[$__rate_interval])`;
  return `histogram_quantile(${quantile}, sum by (${labels}) (${buckets}))`;
}

/** Returns the queries of the median and the 99th percentile of a histogram, by one label or none. */
export function percentiles(histogram: string, by = '', selector = ''): readonly PromqlQuery[] {
  const name = by === '' ? '' : ` {{${by}}}`;
  return [
    { promql: quantileOf(0.5, histogram, by, selector), legend: `median${name}` },
    { promql: quantileOf(0.99, histogram, by, selector), legend: `99 %${name}` },
  ];
}
