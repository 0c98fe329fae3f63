import { type Collector, collectorOf, type Environment, whole, wrong } from '../otlp/environment.ts';

export const samplerNames = [
  'always_on',
  'always_off',
  'traceidratio',
  'parentbased_always_on',
  'parentbased_always_off',
  'parentbased_traceidratio',
] as const;
export type SamplerName = (typeof samplerNames)[number];

/** The settings of the export of traces. */
export interface ExportSettings extends Collector {
  readonly sampler: SamplerName;
  /** The share of the new traces that is sampled, from 0 to 1. */
  readonly ratio: number;
  /** How long spans are collected before they are sent, in ms. */
  readonly delayMs: number;
  /** The most spans that are kept while they are not sent; further ones are dropped. */
  readonly queuedSpans: number;
  /** The most spans of one request. */
  readonly batchSpans: number;
}

const defaultDelayMs = 1_000;
const defaultQueuedSpans = 2_048;
const defaultBatchSpans = 512;

/**
 * Returns the settings of the export, or undefined if this process exports no traces.
 *
 * @throws HoldfastError BAD_CONFIGURATION if a variable has a value that means nothing.
 */
export function exportSettings(env: Environment): ExportSettings | undefined {
  const collector = collectorOf(env, 'traces');
  if (collector === undefined) return undefined;
  const sampler = env.OTEL_TRACES_SAMPLER || 'parentbased_always_on';
  if (!isSampler(sampler))
    throw wrong('OTEL_TRACES_SAMPLER', sampler, `Use one of ${samplerNames.join(', ')}.`);
  const queuedSpans = whole(env, 'OTEL_BSP_MAX_QUEUE_SIZE', defaultQueuedSpans);
  return {
    ...collector,
    sampler,
    ratio: ratioOf(env.OTEL_TRACES_SAMPLER_ARG),
    delayMs: whole(env, 'OTEL_BSP_SCHEDULE_DELAY', defaultDelayMs),
    queuedSpans,
    batchSpans: Math.min(queuedSpans, whole(env, 'OTEL_BSP_MAX_EXPORT_BATCH_SIZE', defaultBatchSpans)),
  };
}

function isSampler(name: string): name is SamplerName {
  return (samplerNames as readonly string[]).includes(name);
}

function ratioOf(text: string | undefined): number {
  if (!text) return 1;
  const ratio = Number(text);
  if (ratio >= 0 && ratio <= 1) return ratio;
  throw wrong('OTEL_TRACES_SAMPLER_ARG', text, 'Give a number from 0 to 1.');
}
