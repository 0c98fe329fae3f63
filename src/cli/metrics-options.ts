/** The options by which a verb shows its metrics, and their start. */
import { InvalidArgumentError, Option } from '@commander-js/extra-typings';
import { name } from '../core/rules.ts';
import type { ProcessMetrics } from '../node/metrics/start-metrics.ts';
import type { Clock } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';
import { port } from './text/numbers.ts';

export interface MetricsFlags {
  readonly metricsPort?: number | undefined;
  readonly metricsHost: string;
  readonly metricsTenants?: readonly string[] | undefined;
}

export const metricsPortOption = () =>
  new Option('--metrics-port <n>', 'show metrics for Prometheus at /metrics of this port; 0: any free one')
    .env('HOLDFAST_METRICS_PORT')
    .argParser(port);

export const metricsHostOption = () =>
  new Option('--metrics-host <address>', 'the address on which metrics are shown, without TLS')
    .env('HOLDFAST_METRICS_HOST')
    .default('127.0.0.1');

export const metricsTenantsOption = () =>
  new Option('--metrics-tenants <names>', 'the tenants, separated by commas, that metrics show by name')
    .env('HOLDFAST_METRICS_TENANTS')
    .argParser(tenantNames);

/** How many tenants may have series of their own: each has as many as all others together. */
const mostTenants = 50;

const isName = name();

function tenantNames(text: string): readonly string[] {
  const names = text.split(',').map((one) => one.trim());
  const wrong = names.find((one) => isName(one) !== undefined);
  if (wrong !== undefined || names.length > mostTenants)
    throw new InvalidArgumentError(`Write at most ${mostTenants} names of tenants, separated by commas.`);
  return names;
}

/**
 * Starts the metrics of this process if an option asks for them, or if the environment names an endpoint of OTLP. Otherwise
 * nothing of them is loaded.
 *
 * @throws HoldfastError BAD_CONFIGURATION if the environment has a value that means nothing.
 */
export async function metricsOf(
  { metricsPort, metricsHost, metricsTenants }: MetricsFlags,
  {
    clock,
    log,
    serviceName,
  }: {
    readonly clock: Clock;
    readonly log: Log;
    readonly serviceName: 'holdfast-server' | 'holdfast-worker';
  },
): Promise<ProcessMetrics | undefined> {
  const { otlpSettings } = await import('../telemetry/metrics/otlp/otlp-settings.ts');
  const settings = otlpSettings(process.env);
  if (metricsPort === undefined && settings === undefined) return undefined;
  const { startMetrics } = await import('../node/metrics/start-metrics.ts');
  const listen = metricsPort === undefined ? undefined : { host: metricsHost, port: metricsPort };
  const otlp = settings === undefined ? undefined : { ...settings, serviceName };
  return startMetrics({ clock, log, listen, otlp, tenants: metricsTenants });
}

/** Returns the line that says where the metrics are; empty if they are nowhere. */
export function metricsText(metrics: ProcessMetrics | undefined, { metricsHost }: MetricsFlags): string {
  const at = metricsHost.includes(':') ? `[${metricsHost}]` : metricsHost;
  return metrics?.port === undefined ? '' : `\nmetrics: http://${at}:${metrics.port}/metrics`;
}
