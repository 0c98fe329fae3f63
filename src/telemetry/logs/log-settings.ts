import { type Collector, collectorOf, type Environment, otlp, whole } from '../otlp/environment.ts';

/** The settings of the export of log lines. */
export interface LogSettings extends Collector {
  /** How long lines are collected before they are sent, in ms. */
  readonly delayMs: number;
  /** The most lines that are kept while they are not sent; further ones are dropped. */
  readonly queuedLines: number;
  /** The most lines of one request. */
  readonly batchLines: number;
}

const defaultDelayMs = 1_000;
const defaultQueuedLines = 2_048;
const defaultBatchLines = 512;

/**
 * Returns the settings of the export, or undefined if this process exports no log lines. The endpoint of all signals alone
 * exports none: the lines stand on standard error, where most machines collect them already, and would be stored twice.
 *
 * @throws HoldfastError BAD_CONFIGURATION if a variable has a value that means nothing.
 */
export function logSettings(env: Environment): LogSettings | undefined {
  if (!env.OTEL_EXPORTER_OTLP_LOGS_ENDPOINT && env.OTEL_LOGS_EXPORTER !== otlp) return undefined;
  const collector = collectorOf(env, 'logs');
  if (collector === undefined) return undefined;
  const queuedLines = whole(env, 'OTEL_BLRP_MAX_QUEUE_SIZE', defaultQueuedLines);
  return {
    ...collector,
    delayMs: whole(env, 'OTEL_BLRP_SCHEDULE_DELAY', defaultDelayMs),
    queuedLines,
    batchLines: Math.min(queuedLines, whole(env, 'OTEL_BLRP_MAX_EXPORT_BATCH_SIZE', defaultBatchLines)),
  };
}
