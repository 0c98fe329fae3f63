import { slotResults } from '../../../core/objectives/slot-results.ts';
import type { MetricDefinition } from './metric.ts';

export const canaryMetrics = {
  'holdfast.canary.slots': {
    kind: 'counter',
    unit: '{slot}',
    labels: { result: slotResults },
    description: 'The slots of the canary by their results. Every result but `good` is bad.',
    usedBy: 'alert CanaryMissing; panel Objectives: canary; objective api availability',
    on: ['canary'],
  },
} as const satisfies Readonly<Record<string, MetricDefinition>>;
