/** Converts collected metrics to the data that an exporter of OpenTelemetry sends. */
import type { DataPoint, ExponentialHistogram, MetricData } from '@opentelemetry/sdk-metrics';
import { type CollectedMetric, labelNamesOf } from '../registry.ts';
import { exponentialScale, type Histogram, type LabelSet } from '../series.ts';

type HrTime = [seconds: number, nanoseconds: number];
type Attributes = Record<string, string>;

/** The numbers of the SDK's enumerations, so that this module needs no package when it is loaded. */
const cumulative: MetricData['aggregationTemporality'] = 1;
const pointTypes = { exponentialHistogram: 1, gauge: 2, sum: 3 } as const;
/** The kind of number of a value: a double. */
const double = 1;

export function hrTime(ms: number): HrTime {
  return [Math.floor(ms / 1_000), Math.round((ms % 1_000) * 1e6)];
}

/** Returns the labels of a series as attributes. An empty value means that the series has no such label. */
function attributesOf(labelNames: readonly string[], values: LabelSet): Attributes {
  const attributes: Attributes = {};
  for (const [i, label] of labelNames.entries()) {
    const value = values[i] ?? '';
    if (value !== '') attributes[label] = value;
  }
  return attributes;
}

function exponentialOf(histogram: Histogram): ExponentialHistogram {
  const { offset, counts } = histogram.exponential();
  return {
    count: histogram.count,
    sum: histogram.sum,
    scale: exponentialScale,
    zeroCount: histogram.zeros,
    positive: { offset, bucketCounts: counts },
    negative: { offset: 0, bucketCounts: [] },
  };
}

/** The time in which the values of a collection were counted: since the start of the process, until now. */
export interface CountedTime {
  readonly startedAtMs: number;
  readonly nowMs: number;
}

export function otlpMetric(metric: CollectedMetric, { startedAtMs, nowMs }: CountedTime): MetricData {
  const { name, definition, readings, histograms } = metric;
  const labelNames = labelNamesOf(definition);
  const point = <T>(labels: LabelSet, value: T): DataPoint<T> => ({
    startTime: hrTime(startedAtMs),
    endTime: hrTime(nowMs),
    attributes: attributesOf(labelNames, labels),
    value,
  });
  const { description, unit } = definition;
  const descriptor = { name, description, unit, valueType: double };
  const common = { descriptor, aggregationTemporality: cumulative };
  if (definition.kind === 'histogram') {
    const dataPoints = histograms.map((one) => point(one.labels, exponentialOf(one)));
    return { ...common, dataPointType: pointTypes.exponentialHistogram, dataPoints };
  }
  const dataPoints = readings.map(({ labels, value }) => point(labels, value));
  if (definition.kind === 'gauge') return { ...common, dataPointType: pointTypes.gauge, dataPoints };
  return { ...common, dataPointType: pointTypes.sum, isMonotonic: true, dataPoints };
}
