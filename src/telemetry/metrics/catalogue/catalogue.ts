/**
 * Every metric that Holdfast has. docs/metrics.md is generated from this catalogue. Of the features that do not exist yet
 * these names are reserved: holdfast.schedule.*, holdfast.limit.*, holdfast.rate.*, holdfast.batch.*, holdfast.operation.*.
 */

import { canaryMetrics } from './canary.ts';
import type { CounterDefinition, GaugeDefinition, HistogramDefinition, MetricDefinition } from './metric.ts';
import { nodeMetrics } from './node.ts';
import { processMetrics } from './process.ts';
import { queueMetrics } from './queues.ts';
import { taskMetrics } from './tasks.ts';

export const catalogue = {
  ...taskMetrics,
  ...queueMetrics,
  ...nodeMetrics,
  ...processMetrics,
  ...canaryMetrics,
} as const;

export type MetricName = keyof typeof catalogue;

type NameOf<D extends MetricDefinition> = {
  [N in MetricName]: (typeof catalogue)[N] extends D ? N : never;
}[MetricName];

export type CounterName = NameOf<CounterDefinition>;
export type GaugeName = NameOf<GaugeDefinition>;
export type HistogramName = NameOf<HistogramDefinition>;

export function definitionOf(name: string): MetricDefinition | undefined {
  return Object.hasOwn(catalogue, name) ? catalogue[name as MetricName] : undefined;
}
