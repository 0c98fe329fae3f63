/** The settings of the export of metrics: OpenTelemetry's own environment variables, as every SDK reads them. */
import { HoldfastError } from '../../../core/errors.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

export interface OtlpSettings {
  /** The time in ms from one export to the next. */
  readonly everyMs: number;
  /** How long one export may take, with its repeats, in ms. */
  readonly timeoutMs: number;
  /** A setting that is not followed, as a sentence. */
  readonly ignored: string | undefined;
}

const defaultEveryMs = 60_000;
const defaultTimeoutMs = 10_000;
const protocolUsed = 'http/protobuf';

/**
 * Returns the settings of the export, or undefined if this process exports no metrics: without an endpoint of OTLP, or if
 * OTEL_SDK_DISABLED or OTEL_METRICS_EXPORTER switch it off. The exporter itself reads the endpoint and its headers.
 *
 * @throws HoldfastError BAD_CONFIGURATION if a variable has a value that means nothing.
 */
export function otlpSettings(env: Environment): OtlpSettings | undefined {
  const name = env.OTEL_EXPORTER_OTLP_METRICS_ENDPOINT
    ? 'OTEL_EXPORTER_OTLP_METRICS_ENDPOINT'
    : 'OTEL_EXPORTER_OTLP_ENDPOINT';
  const endpoint = env[name];
  if (!endpoint || env.OTEL_SDK_DISABLED?.toLowerCase() === 'true' || env.OTEL_METRICS_EXPORTER === 'none')
    return undefined;
  if (!URL.canParse(endpoint)) throw wrong(name, endpoint, 'Give a URL, such as http://127.0.0.1:4318.');
  const protocol = env.OTEL_EXPORTER_OTLP_METRICS_PROTOCOL || env.OTEL_EXPORTER_OTLP_PROTOCOL || protocolUsed;
  const timeout = env.OTEL_EXPORTER_OTLP_METRICS_TIMEOUT
    ? 'OTEL_EXPORTER_OTLP_METRICS_TIMEOUT'
    : 'OTEL_EXPORTER_OTLP_TIMEOUT';
  return {
    everyMs: whole(env, 'OTEL_METRIC_EXPORT_INTERVAL', defaultEveryMs),
    timeoutMs: whole(env, timeout, defaultTimeoutMs),
    ignored:
      protocol === protocolUsed
        ? undefined
        : `metrics are exported by ${protocolUsed}, although the environment names ${protocol.slice(0, 64)}`,
  };
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
