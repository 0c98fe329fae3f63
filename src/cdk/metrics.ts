import { Duration } from 'aws-cdk-lib';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import { type EmfMetric, emfMetrics, queueDimension } from '../telemetry/metrics/emf/names.ts';

/** A metric of a queue. */
export interface HoldfastQueueMetricProps {
  readonly queue: string;
  /** Default: a minute, which is how often they are written. */
  readonly period?: Duration;
}

const largest: ReadonlySet<EmfMetric> = new Set(['oldestReadyAge', 'readyTasks', 'sweepLag']);

/** Returns a metric that servers, workers and the canary write to their logs. */
export function emfMetric(
  namespace: string,
  metric: EmfMetric,
  { queue, period = Duration.minutes(1) }: { readonly queue?: string; readonly period?: Duration } = {},
): cloudwatch.Metric {
  const smallest = metric === 'certificateExpiry';
  return new cloudwatch.Metric({
    ...{ namespace, metricName: emfMetrics[metric].name, period },
    statistic: largest.has(metric) ? 'Maximum' : smallest ? 'Minimum' : 'Sum',
    ...(queue !== undefined && { dimensionsMap: { [queueDimension]: queue } }),
  });
}
