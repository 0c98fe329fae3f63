import { type Collector, collectorOf, type Environment, whole } from '../../otlp/environment.ts';

/** The settings of the export of metrics. */
export interface OtlpSettings extends Collector {
  /** The time in ms from one export to the next. */
  readonly everyMs: number;
}

const defaultEveryMs = 60_000;

/**
 * Returns the settings of the export, or undefined if this process exports no metrics.
 *
 * @throws HoldfastError BAD_CONFIGURATION if a variable has a value that means nothing.
 */
export function otlpSettings(env: Environment): OtlpSettings | undefined {
  const collector = collectorOf(env, 'metrics');
  if (collector === undefined) return undefined;
  return { ...collector, everyMs: whole(env, 'OTEL_METRIC_EXPORT_INTERVAL', defaultEveryMs) };
}
