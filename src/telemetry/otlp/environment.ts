/** The settings of the export over OTLP: OpenTelemetry's own environment variables, as every SDK reads them. */
import { HoldfastError } from '../../core/errors.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** The variables of each signal. An endpoint, a protocol and a timeout of its own come before those of all signals. */
const variables = {
  traces: {
    endpoint: 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT',
    protocol: 'OTEL_EXPORTER_OTLP_TRACES_PROTOCOL',
    timeout: 'OTEL_EXPORTER_OTLP_TRACES_TIMEOUT',
    exporter: 'OTEL_TRACES_EXPORTER',
  },
  metrics: {
    endpoint: 'OTEL_EXPORTER_OTLP_METRICS_ENDPOINT',
    protocol: 'OTEL_EXPORTER_OTLP_METRICS_PROTOCOL',
    timeout: 'OTEL_EXPORTER_OTLP_METRICS_TIMEOUT',
    exporter: 'OTEL_METRICS_EXPORTER',
  },
  logs: {
    endpoint: 'OTEL_EXPORTER_OTLP_LOGS_ENDPOINT',
    protocol: 'OTEL_EXPORTER_OTLP_LOGS_PROTOCOL',
    timeout: 'OTEL_EXPORTER_OTLP_LOGS_TIMEOUT',
    exporter: 'OTEL_LOGS_EXPORTER',
  },
} as const;
export type Signal = keyof typeof variables;

/** The collector to which a process sends a signal. */
export interface Collector {
  readonly url: string;
  /** How long a request may take, with its repeats, in ms. */
  readonly timeoutMs: number;
  /** A setting that is not followed, as a sentence. */
  readonly ignored: string | undefined;
}

const defaultTimeoutMs = 10_000;
/** The collector that the standard names for a signal that is to be exported without an endpoint. */
const defaultEndpoint = 'http://localhost:4318';
const protocolUsed = 'http/protobuf';
/** The name of the exporter over OTLP in the variables of the signals. */
export const otlp = 'otlp';

/**
 * Returns the collector of a signal, or undefined if this process does not export it: without an endpoint of OTLP and an
 * exporter `otlp`, or if OTEL_SDK_DISABLED or the signal's own variable switches the export off.
 *
 * @throws HoldfastError BAD_CONFIGURATION if a variable has a value that means nothing.
 */
export function collectorOf(env: Environment, signal: Signal): Collector | undefined {
  const own = variables[signal];
  const [name, path] = env[own.endpoint]
    ? ([own.endpoint, ''] as const)
    : // An endpoint for all signals is the address of the collector; one for a signal alone is the whole URL.
      (['OTEL_EXPORTER_OTLP_ENDPOINT', `/v1/${signal}`] as const);
  const endpoint = env[name] || (env[own.exporter] === otlp ? defaultEndpoint : undefined);
  if (!endpoint || env.OTEL_SDK_DISABLED?.toLowerCase() === 'true' || env[own.exporter] === 'none')
    return undefined;
  const protocol = env[own.protocol] || env.OTEL_EXPORTER_OTLP_PROTOCOL || protocolUsed;
  if (!URL.canParse(endpoint)) throw wrong(name, endpoint, 'Give a URL, such as http://127.0.0.1:4318.');
  return {
    url: path === '' ? endpoint : `${endpoint.replace(/\/$/, '')}${path}`,
    timeoutMs: whole(env, env[own.timeout] ? own.timeout : 'OTEL_EXPORTER_OTLP_TIMEOUT', defaultTimeoutMs),
    ignored:
      protocol === protocolUsed
        ? undefined
        : `${signal} are exported by ${protocolUsed}, although the environment names ${protocol.slice(0, 64)}`,
  };
}

/**
 * Returns the attributes by which a process names itself in all that it exports: the service, and those of
 * OTEL_RESOURCE_ATTRIBUTES (such as `deployment.environment.name=staging`) and OTEL_SERVICE_NAME. A malformed one is left out.
 * No detector of the SDK runs: they would add the command line and the ids of the machine.
 */
export function processAttributes(
  env: Environment,
  service: { readonly name: string; readonly version: string; readonly instanceId: string },
): Record<string, string> {
  const attributes: Record<string, string> = {
    'service.name': service.name,
    'service.version': service.version,
    'service.instance.id': service.instanceId,
  };
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

/** Reads a variable that is a whole number above 0. */
export function whole(env: Environment, name: string, byDefault: number): number {
  const text = env[name];
  if (!text) return byDefault;
  const value = Number(text);
  if (Number.isInteger(value) && value > 0 && value <= 2 ** 31 - 1) return value;
  throw wrong(name, text, 'Give a whole number above 0.');
}

export function wrong(name: string, value: string, help: string): HoldfastError {
  const message = `The environment variable ${name} is '${value.slice(0, 64)}', which means nothing.`;
  return new HoldfastError('INVALID_ARGUMENT', 'BAD_CONFIGURATION', message, { help });
}
