/** The series that exist: those that the code emits, those that the rules record, and those of the Collector. */
import { objectiveGroups, standardOptions } from '../../scripts/rules/files.ts';
import { catalogue } from '../../src/telemetry/metrics/catalogue/catalogue.ts';
import { type MetricDefinition, names } from '../../src/telemetry/metrics/catalogue/metric.ts';
import { prometheusName } from '../../src/telemetry/metrics/exposition.ts';
import { collectorConfig } from './stack-files.ts';

/** A series as Prometheus has it: its labels, each with its values, or undefined if they are not a closed set. */
export type KnownSeries = ReadonlyMap<string, readonly string[] | undefined>;

/** The labels that Prometheus adds to everything that it reads. */
const added = ['job', 'instance'] as const;

function* seriesOf(name: string, metric: MetricDefinition): Generator<readonly [string, KnownSeries]> {
  const own = Object.entries(metric.labels).map(
    ([label, values]) => [label.replaceAll(/\W/g, '_'), values === names ? undefined : values] as const,
  );
  const labels = new Map([...own, ...added.map((label) => [label, undefined] as const)]);
  const shown = prometheusName(name, metric);
  if (metric.kind !== 'histogram') return void (yield [shown, labels]);
  const bounds = [...metric.bounds.map(String), '+Inf'];
  yield [`${shown}_bucket`, new Map([...labels, ['le', bounds]])];
  yield [`${shown}_count`, labels];
  yield [`${shown}_sum`, labels];
}

function* recordedSeries(): Generator<readonly [string, KnownSeries]> {
  const rules = objectiveGroups(standardOptions).flatMap((group) => group.rules);
  for (const name of new Set(rules.flatMap(({ record }) => record ?? []))) {
    const labels = rules
      .filter(({ record }) => record === name)
      .flatMap((rule) => Object.keys(rule.labels ?? {}));
    const values = (label: string): string[] =>
      rules.flatMap((rule) => (rule.record === name ? (rule.labels?.[label] ?? []) : []));
    yield [name, new Map([...new Set(labels)].map((label) => [label, [...new Set(values(label))]]))];
  }
}

/** The series that the Collector makes of the kept spans, by the settings of its connector. */
function* spanSeries(): Generator<readonly [string, KnownSeries]> {
  const { namespace, histogram, dimensions } = collectorConfig('tempo-loki').connectors.spanmetrics;
  const own: readonly string[] = dimensions.map(({ name }: { name: string }) => name.replaceAll('.', '_'));
  const kinds = ['INTERNAL', 'SERVER', 'CLIENT', 'PRODUCER', 'CONSUMER'].map((kind) => `SPAN_KIND_${kind}`);
  const labels: KnownSeries = new Map<string, readonly string[] | undefined>([
    ...[...own, ...added, 'service_name', 'span_name'].map((label) => [label, undefined] as const),
    ['span_kind', kinds],
    ['status_code', ['STATUS_CODE_UNSET', 'STATUS_CODE_OK', 'STATUS_CODE_ERROR']],
  ]);
  if (histogram.unit !== 's') throw new Error(`the unit of the spans is ${histogram.unit}, and not s`);
  const duration = `${namespace}_duration_seconds`;
  yield [`${namespace}_calls_total`, labels];
  yield [`${duration}_bucket`, new Map([...labels, ['le', undefined]])];
  yield [`${duration}_count`, labels];
  yield [`${duration}_sum`, labels];
}

/** Returns every known series by its name. `ALERTS` and `up` are Prometheus's own. */
export function knownSeries(): ReadonlyMap<string, KnownSeries> {
  const emitted = Object.entries<MetricDefinition>(catalogue).flatMap(([name, metric]) => [
    ...seriesOf(name, metric),
  ]);
  const own = new Map(
    ['alertname', 'alertstate', 'severity', 'sloth_slo', ...added].map((l) => [l, undefined]),
  );
  return new Map([
    ...emitted,
    ...recordedSeries(),
    ...spanSeries(),
    ['ALERTS', own],
    ['up', new Map(added.map((l) => [l, undefined]))],
  ]);
}
