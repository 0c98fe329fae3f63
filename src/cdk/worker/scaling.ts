import { Duration } from 'aws-cdk-lib';
import * as scaling from 'aws-cdk-lib/aws-applicationautoscaling';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import type * as ecs from 'aws-cdk-lib/aws-ecs';
import { emfMetric } from '../metrics.ts';

export interface ScalingOptions {
  readonly metricsNamespace: string;
  readonly cluster: ecs.ICluster;
  readonly queues: readonly string[];
  readonly minTasks: number;
  readonly maxTasks: number;
  readonly backlogPerWorker: number;
  readonly oldestReadySeconds: number;
}

/**
 * Scales the workers of a service. The backlog for each of them decides in both directions; the age of the oldest ready
 * task, and tasks that nobody serves, only add workers. The age is what users feel, and the backlog is known sooner.
 */
export function scaleWorker(service: ecs.FargateService, options: ScalingOptions): void {
  const { metricsNamespace, cluster, queues, minTasks, maxTasks, backlogPerWorker } = options;
  const target = service.autoScaleTaskCount({ minCapacity: minTasks, maxCapacity: maxTasks });
  const each = (metric: 'oldestReadyAge' | 'readyTasks' | 'unserved') =>
    Object.fromEntries(
      queues.map((queue, i) => [`${letter(metric)}${i}`, emfMetric(metricsNamespace, metric, { queue })]),
    );
  const all = (metric: 'oldestReadyAge' | 'readyTasks' | 'unserved') =>
    `[${queues.map((_, i) => `FILL(${letter(metric)}${i}, 0)`).join(', ')}]`;
  const running = new cloudwatch.Metric({
    ...{ namespace: 'ECS/ContainerInsights', metricName: 'RunningTaskCount', statistic: 'Average' },
    dimensionsMap: { ClusterName: cluster.clusterName, ServiceName: service.serviceName },
    period: Duration.minutes(1),
  });
  const backlog = new cloudwatch.MathExpression({
    expression: `SUM(${all('readyTasks')}) / IF(running > 0, running, 1)`,
    usingMetrics: { ...each('readyTasks'), running },
    ...{ period: Duration.minutes(1), label: 'ready tasks for each worker' },
  });
  target.scaleOnMetric('Backlog', {
    metric: backlog,
    scalingSteps: [
      { upper: backlogPerWorker / 4, change: -10 },
      { lower: backlogPerWorker, change: 50 },
      { lower: 4 * backlogPerWorker, change: 200 },
    ],
    adjustmentType: scaling.AdjustmentType.PERCENT_CHANGE_IN_CAPACITY,
    ...{ minAdjustmentMagnitude: 1, cooldown: Duration.minutes(1), evaluationPeriods: 1 },
  });
  const unserved = new cloudwatch.MathExpression({
    expression: `IF(SUM(${all('unserved')}) > 0, ${10 * options.oldestReadySeconds}, MAX(${all('oldestReadyAge')}))`,
    usingMetrics: { ...each('oldestReadyAge'), ...each('unserved') },
    ...{ period: Duration.minutes(1), label: 'age of the oldest ready task' },
  });
  target.scaleOnMetric('OldestReady', {
    metric: unserved,
    scalingSteps: [
      { lower: options.oldestReadySeconds, change: 1 },
      { lower: 5 * options.oldestReadySeconds, change: 2 },
    ],
    adjustmentType: scaling.AdjustmentType.CHANGE_IN_CAPACITY,
    ...{ cooldown: Duration.minutes(1), evaluationPeriods: 1 },
  });
}

function letter(metric: 'oldestReadyAge' | 'readyTasks' | 'unserved'): string {
  return { oldestReadyAge: 'age', readyTasks: 'ready', unserved: 'unserved' }[metric];
}
