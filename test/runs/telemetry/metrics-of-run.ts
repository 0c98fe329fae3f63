/** The metrics of a run of `npm run test:telemetry`, as the collector got them from each process. */
import type { ReceivedMetric, ReceivedMetrics } from '../../fixtures/otlp-metrics.ts';
import type { TelemetryOfTasks } from './run.ts';

/** Returns what each process sent last, by its `service.name`. All values are totals, so nothing earlier matters. */
function lastOf(received: readonly ReceivedMetrics[]): ReadonlyMap<string, ReceivedMetrics> {
  return new Map(received.map((one) => [one.resource['service.name'] ?? '', one]));
}

function* valuesOf({ name, kind, points }: ReceivedMetric): Generator<string> {
  for (const { attributes, value, count } of points) {
    const labels = Object.entries(attributes).map(([label, one]) => `${label}=${one}`);
    const shown = kind === 'exponentialHistogram' ? count : value;
    if (shown > 0) yield `${name}{${labels.join(', ')}} ${Math.round(shown * 1_000) / 1_000}`;
  }
}

/** Returns the values that are not 0 of what the tasks did in each process; of a histogram the number of its values. */
export function metricLines({ metrics }: Pick<TelemetryOfTasks, 'metrics'>): readonly string[] {
  return [...lastOf(metrics)].flatMap(([service, { metrics: own }]) =>
    own
      .filter(({ name }) => /^(messaging|rpc|holdfast\.(task|attempt|store\.commit|aws))\b/.test(name))
      .flatMap((metric) => [...valuesOf(metric)].map((line) => `${service.padEnd(15)} ${line}`)),
  );
}

/** Returns what the metrics lack, a line each: the ends of all tasks, and a process that names itself as in its spans. */
export function missingMetrics({ metrics, spans, ids }: TelemetryOfTasks): readonly string[] {
  const last = lastOf(metrics);
  const ended = last.get('holdfast-server')?.metrics.find(({ name }) => name === 'holdfast.task.ended');
  const succeeded = ended?.points.find(({ attributes }) => attributes.outcome === 'succeeded')?.value;
  const instance = 'service.instance.id';
  const others = [...last].filter(([service, { resource }]) => {
    const ofSpans = spans.filter((span) => span.resource['service.name'] === service);
    return ofSpans.some((span) => span.resource[instance] !== resource[instance]);
  });
  return [
    ...(succeeded === ids.length
      ? []
      : [`the metrics count ${succeeded} succeeded tasks in place of ${ids.length}`]),
    ...others.map(([service]) => `${service} names itself in its metrics otherwise than in its spans`),
  ];
}
