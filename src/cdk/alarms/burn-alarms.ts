import { Duration } from 'aws-cdk-lib';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import type { Construct } from 'constructs';
import {
  burnAlerts,
  type Objective,
  type ObjectiveName,
  objectives,
} from '../../core/objectives/objectives.ts';
import { windowText } from '../../core/objectives/window-text.ts';
import type { EmfMetric } from '../../telemetry/metrics/emf/names.ts';
import { emfMetric } from '../metrics.ts';

const dayMs = 86_400_000;

/** The metrics of each objective. With fewer events than `fewest` in a window, the share counts as if there were so many. */
const events: Readonly<
  Record<
    ObjectiveName,
    { readonly bad: EmfMetric; readonly all: readonly EmfMetric[]; readonly fewest: number }
  >
> = {
  'api-availability': { bad: 'badSlots', all: ['goodSlots', 'badSlots'], fewest: 1 },
  'start-latency': { bad: 'lateStarts', all: ['starts'], fewest: 100 },
  completion: { bad: 'lateEnds', all: ['ends'], fewest: 1_000 },
};

/** Returns the share of bad events in a window, in percent. */
function share(namespace: string, { name }: Objective, periodMs: number): cloudwatch.MathExpression {
  const { bad, all, fewest } = events[name];
  const period = Duration.millis(periodMs);
  const total = all.map((metric) => `FILL(${metric}, 0)`).join(' + ');
  const usingMetrics = Object.fromEntries(
    [...new Set([bad, ...all])].map((metric) => [metric, emfMetric(namespace, metric, { period })]),
  );
  return new cloudwatch.MathExpression({
    expression: `100 * FILL(${bad}, 0) / IF(${total} > ${fewest}, ${total}, ${fewest})`,
    ...{ usingMetrics, period, label: `bad events of ${name} in percent` },
  });
}

/**
 * Creates FastBudgetBurn and SlowBudgetBurn for each objective: both windows of a condition must burn. CloudWatch has no
 * window longer than a day, so that one of three days is three days of which each burns.
 */
export function burnAlarms(
  scope: Construct,
  namespace: string,
  hasCanary: boolean,
  runbook: (name: string) => string,
): { readonly alarm: cloudwatch.CompositeAlarm; readonly severity: 'page' | 'ticket' }[] {
  const judged = objectives.filter(({ name }) => hasCanary || name !== 'api-availability');
  return judged.flatMap((objective) =>
    burnAlerts.map(({ name, severity, windows }) => {
      const conditions = windows.map(({ factor, longMs, shortMs }) => {
        const budgetPercent = (1_000_000 - objective.targetPpm) / 10_000;
        const parts = [longMs, shortMs].map((ms) => {
          const days = ms > dayMs ? ms / dayMs : 1;
          const alarm = new cloudwatch.Alarm(scope, `${name}-${objective.name}-${windowText(ms)}`, {
            metric: share(namespace, objective, Math.min(ms, dayMs)),
            threshold: factor * budgetPercent,
            ...{ evaluationPeriods: days, datapointsToAlarm: days },
            comparisonOperator: cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
            treatMissingData: cloudwatch.TreatMissingData.NOT_BREACHING,
            alarmDescription: `A part of ${name} of ${objective.name}.`,
          });
          return cloudwatch.AlarmRule.fromAlarm(alarm, cloudwatch.AlarmState.ALARM);
        });
        return cloudwatch.AlarmRule.allOf(...parts);
      });
      const file = name === 'FastBudgetBurn' ? 'fast-budget-burn' : 'slow-budget-burn';
      const alarm = new cloudwatch.CompositeAlarm(scope, `${name}-${objective.name}`, {
        alarmRule: cloudwatch.AlarmRule.anyOf(...conditions),
        alarmDescription: `${objective.sentence} ${runbook(file)}`,
      });
      return { alarm, severity };
    }),
  );
}
