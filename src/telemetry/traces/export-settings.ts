/** The settings of the export of traces: OpenTelemetry's own environment variables, as every SDK reads them. */
import { HoldfastError } from '../../core/errors.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

export const samplerNames = [
  'always_on',
  'always_off',
  'traceidratio',
  'parentbased_always_on',
  'parentbased_always_off',
  'parentbased_traceidratio',
] as const;
export type SamplerName = (typeof samplerNames)[number];

export interface ExportSettings {
  /** Where the traces are sent. */
  readonly url: string;
  readonly sampler: SamplerName;
  /** The share of the new traces that is sampled, from 0 to 1. */
  readonly ratio: number;
  /** How long spans are collected before they are sent, in ms. */
  readonly delayMs: number;
  /** The most spans that are kept while they are not sent; further ones are dropped. */
  readonly queuedSpans: number;
  /** The most spans of one request. */
  readonly batchSpans: number;
  /** How long a request may take, with its repeats, in ms. */
  readonly timeoutMs: number;
  /** A setting that is not followed, as a sentence. */
  readonly ignored: string | undefined;
}

const defaultDelayMs = 1_000;
const defaultQueuedSpans = 2_048;
const defaultBatchSpans = 512;
const defaultTimeoutMs = 10_000;

/**
 * Returns the settings of the export, or undefined if this process exports no traces: without an endpoint of OTLP, or if
 * OTEL_SDK_DISABLED or OTEL_TRACES_EXPORTER switch it off.
 *
 * @throws HoldfastError BAD_CONFIGURATION if a variable has a value that means nothing.
 */
export function exportSettings(env: Environment): ExportSettings | undefined {
  const own = env.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT;
  const endpoint = own || env.OTEL_EXPORTER_OTLP_ENDPOINT;
  if (!endpoint || env.OTEL_SDK_DISABLED?.toLowerCase() === 'true' || env.OTEL_TRACES_EXPORTER === 'none')
    return undefined;
  if (!URL.canParse(endpoint))
    throw wrong('OTEL_EXPORTER_OTLP_ENDPOINT', endpoint, 'Give a URL, such as http://127.0.0.1:4318.');
  const sampler = env.OTEL_TRACES_SAMPLER || 'parentbased_always_on';
  if (!isSampler(sampler))
    throw wrong('OTEL_TRACES_SAMPLER', sampler, `Use one of ${samplerNames.join(', ')}.`);
  const queuedSpans = whole(env, 'OTEL_BSP_MAX_QUEUE_SIZE', defaultQueuedSpans);
  const protocol = env.OTEL_EXPORTER_OTLP_TRACES_PROTOCOL || env.OTEL_EXPORTER_OTLP_PROTOCOL || protocolUsed;
  const timeout = env.OTEL_EXPORTER_OTLP_TRACES_TIMEOUT
    ? 'OTEL_EXPORTER_OTLP_TRACES_TIMEOUT'
    : 'OTEL_EXPORTER_OTLP_TIMEOUT';
  return {
    // An endpoint for all signals is the address of the collector; one for traces alone is the whole URL.
    url: own || `${endpoint.replace(/\/$/, '')}/v1/traces`,
    sampler,
    ratio: ratioOf(env.OTEL_TRACES_SAMPLER_ARG),
    delayMs: whole(env, 'OTEL_BSP_SCHEDULE_DELAY', defaultDelayMs),
    queuedSpans,
    batchSpans: Math.min(queuedSpans, whole(env, 'OTEL_BSP_MAX_EXPORT_BATCH_SIZE', defaultBatchSpans)),
    timeoutMs: whole(env, timeout, defaultTimeoutMs),
    ignored:
      protocol === protocolUsed
        ? undefined
        : `traces are exported by ${protocolUsed}, although the environment names ${protocol.slice(0, 64)}`,
  };
}

/**
 * Returns the attributes of this process that the environment names: those of OTEL_RESOURCE_ATTRIBUTES, such as
 * `deployment.environment.name=staging`, and OTEL_SERVICE_NAME. A malformed one is left out.
 */
export function resourceAttributes(env: Environment): Record<string, string> {
  const attributes: Record<string, string> = {};
  for (const pair of (env.OTEL_RESOURCE_ATTRIBUTES ?? '').split(',')) {
    const at = pair.indexOf('=');
    const key = pair.slice(0, at).trim();
    if (at <= 0 || key === '') continue;
    try {
      attributes[key] = decodeURIComponent(pair.slice(at + 1).trim());
    } catch {}
  }
  if (env.OTEL_SERVICE_NAME) attributes['service.name'] = env.OTEL_SERVICE_NAME;
  return attributes;
}

const protocolUsed = 'http/protobuf';

function isSampler(name: string): name is SamplerName {
  return (samplerNames as readonly string[]).includes(name);
}

function ratioOf(text: string | undefined): number {
  if (!text) return 1;
  const ratio = Number(text);
  if (ratio >= 0 && ratio <= 1) return ratio;
  throw wrong('OTEL_TRACES_SAMPLER_ARG', text, 'Give a number from 0 to 1.');
}

function whole(env: Environment, name: string, byDefault: number): number {
  const text = env[name];
  if (!text) return byDefault;
  const value = Number(text);
  if (Number.isInteger(value) && value > 0 && value <= 2 ** 31 - 1) return value;
  throw wrong(name, text, 'Give a whole number above 0.');
}

function wrong(name: string, value: string, help: string): HoldfastError {
  const message = `The environment variable ${name} is '${value.slice(0, 64)}', which means nothing.`;
  return new HoldfastError('INVALID_ARGUMENT', 'BAD_CONFIGURATION', message, { help });
}
