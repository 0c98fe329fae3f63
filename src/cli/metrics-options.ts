/** The options by which a verb shows its metrics. */
import { InvalidArgumentError, Option } from '@commander-js/extra-typings';
import { name } from '../core/rules.ts';
import type { ProcessMetrics } from '../node/metrics/start-metrics.ts';
import { namespaceRule } from '../telemetry/metrics/emf/names.ts';
import { port } from './text/numbers.ts';

export interface MetricsFlags {
  readonly metricsPort?: number | undefined;
  readonly metricsHost: string;
  readonly metricsTenants?: readonly string[] | undefined;
  readonly emf?: string | undefined;
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

export const emfOption = () =>
  new Option(
    '--emf <namespace>',
    'write the metrics for CloudWatch to standard output once a minute, as lines of EMF in this namespace',
  )
    .env('HOLDFAST_EMF')
    .argParser(namespaceOf);

function namespaceOf(text: string): string {
  if (namespaceRule.test(text)) return text;
  throw new InvalidArgumentError(
    'Write 1 to 255 letters, digits, or . - _ / # : for a namespace of CloudWatch.',
  );
}

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

/** Returns the line that says where the metrics are; empty if they are nowhere. */
export function metricsText(metrics: ProcessMetrics | undefined, { metricsHost }: MetricsFlags): string {
  const at = metricsHost.includes(':') ? `[${metricsHost}]` : metricsHost;
  return metrics?.port === undefined ? '' : `\nmetrics: http://${at}:${metrics.port}/metrics`;
}
