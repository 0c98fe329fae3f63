import { canaryQueue, endWithinMs, startWithinMs } from '../../../core/objectives/objectives.ts';
import type { MetricName } from '../catalogue/catalogue.ts';
import type { CollectedMetric } from '../registry.ts';
import { labelNamesOf } from '../registry.ts';
import type { Histogram, LabelSet } from '../series.ts';
import type { EmfMetric } from './names.ts';

/** The values of one collection: of each queue, and of the process as a whole. */
export interface EmfValues {
  readonly queues: ReadonlyMap<string, ReadonlyMap<EmfMetric, number>>;
  readonly process: ReadonlyMap<EmfMetric, number>;
}

/** The metrics whose values are totals: a line has the increase since the line before. */
export const totals: ReadonlySet<EmfMetric> = new Set([
  ...(['tasksDead', 'leasesExpired', 'starts', 'lateStarts', 'ends', 'lateEnds'] as const),
  ...(['calls', 'refusedCalls', 'goodSlots', 'badSlots'] as const),
]);

/**
 * The statuses of calls that failed by the server, its configuration or its load. All other errors are the caller's, and must
 * not take back a deployment.
 */
const refusals: ReadonlySet<string> = new Set([
  ...['PERMISSION_DENIED', 'UNAUTHENTICATED', 'RESOURCE_EXHAUSTED', 'UNAVAILABLE'],
  ...['INTERNAL', 'UNIMPLEMENTED', 'DATA_LOSS'],
]);
const actingLoops: ReadonlySet<string> = new Set(['sweep', 'expire_leases', 'release_lanes']);

type LabelOf = (name: string) => string;

interface Rule {
  readonly from: MetricName;
  /** Adds a series to the values. `value` is the number of a counter or gauge, and the count of a histogram. */
  add(values: Values, label: LabelOf, value: number, histogram: Histogram | undefined): void;
}

class Values {
  readonly queues = new Map<string, Map<EmfMetric, number>>();
  readonly process = new Map<EmfMetric, number>();

  of(queue: string): Map<EmfMetric, number> {
    let values = this.queues.get(queue);
    if (values === undefined) {
      values = new Map();
      this.queues.set(queue, values);
    }
    return values;
  }
}

function sum(values: Map<EmfMetric, number>, metric: EmfMetric, value: number): void {
  values.set(metric, (values.get(metric) ?? 0) + value);
}

/** Returns how many values of a histogram are above one of its bounds. */
function above(histogram: Histogram | undefined, boundSeconds: number): number {
  if (histogram === undefined) return 0;
  const upTo = histogram.bounds.filter((bound) => bound <= boundSeconds).length;
  return histogram.classic.slice(upTo).reduce((all, count) => all + count, 0);
}

const rules: readonly Rule[] = [
  {
    from: 'holdfast.queue.oldest_ready.age',
    add(values, label, value) {
      const of = values.of(label('queue'));
      of.set('oldestReadyAge', Math.max(of.get('oldestReadyAge') ?? 0, value));
    },
  },
  {
    from: 'holdfast.queue.tasks',
    add(values, label, value) {
      if (label('state') === 'ready') sum(values.of(label('queue')), 'readyTasks', value);
    },
  },
  {
    from: 'holdfast.queue.unserved',
    add(values, label, value) {
      const queue = label('queue');
      const counted = label('cause') === 'paused' ? 0 : value;
      sum(values.of(queue), 'unserved', counted);
      if (queue !== canaryQueue) sum(values.process, 'unserved', counted);
    },
  },
  {
    from: 'holdfast.task.ended',
    add(values, label, value) {
      if (label('outcome') === 'dead') sum(values.of(label('queue')), 'tasksDead', value);
      if (label('reason') === 'deadline' && label('queue') !== canaryQueue)
        sum(values.process, 'lateEnds', value);
    },
  },
  {
    from: 'holdfast.lease.expired',
    add: (values, label, value) => sum(values.of(label('queue')), 'leasesExpired', value),
  },
  {
    from: 'holdfast.task.wait.duration',
    add(values, label, value, histogram) {
      if (label('queue') === canaryQueue) return;
      sum(values.process, 'starts', value);
      sum(values.process, 'lateStarts', above(histogram, startWithinMs / 1_000));
    },
  },
  {
    from: 'holdfast.task.duration',
    add(values, label, value, histogram) {
      if (label('queue') === canaryQueue) return;
      sum(values.process, 'ends', value);
      sum(values.process, 'lateEnds', above(histogram, endWithinMs / 1_000));
    },
  },
  {
    from: 'rpc.server.call.duration',
    add(values, label, value) {
      sum(values.process, 'calls', value);
      sum(values.process, 'refusedCalls', refusals.has(label('rpc.status_code')) ? value : 0);
    },
  },
  {
    from: 'holdfast.sweep.lag',
    add(values, label, value) {
      if (!actingLoops.has(label('loop'))) return;
      values.process.set('sweepLag', Math.max(values.process.get('sweepLag') ?? 0, value));
    },
  },
  {
    from: 'holdfast.certificate.expiry',
    add(values, _label, value) {
      const before = values.process.get('certificateExpiry') ?? value;
      values.process.set('certificateExpiry', Math.min(before, value));
    },
  },
  {
    from: 'holdfast.canary.slots',
    add(values, label, value) {
      sum(values.process, label('result') === 'good' ? 'goodSlots' : 'badSlots', value);
    },
  },
];

/** Computes the metrics for CloudWatch from a collection of all metrics. */
export function emfValues(metrics: readonly CollectedMetric[]): EmfValues {
  const values = new Values();
  for (const { name, definition, readings, histograms } of metrics) {
    const rule = rules.find(({ from }) => from === name);
    if (rule === undefined) continue;
    const labelNames = labelNamesOf(definition);
    const labelOf =
      (labels: LabelSet): LabelOf =>
      (label) =>
        labels[labelNames.indexOf(label)] ?? '';
    for (const { labels, value } of readings) rule.add(values, labelOf(labels), value, undefined);
    for (const one of histograms) rule.add(values, labelOf(one.labels), one.count, one);
  }
  return values;
}
