/** Starts the OpenTelemetry SDK of a process of the measurement, if its environment names a collector. */
import { systemClock } from '../../src/platform/clock.ts';
import { silentLog } from '../../src/ports/log.ts';

const nothing = async (): Promise<void> => {};

/** Returns a function that sends the last spans. Without a collector nothing is loaded: the older commit has no such modules. */
export async function startSdk(name: string): Promise<() => Promise<void>> {
  if (process.env.OTEL_EXPORTER_OTLP_ENDPOINT === undefined) return nothing;
  const { processAttributes } = await import('../../src/telemetry/otlp/environment.ts');
  const { startExporting } = await import('../../src/telemetry/traces/start-exporting.ts');
  const { env } = process;
  const named = processAttributes(env, { name, version: '1', instanceId: String(process.pid) });
  const exporting = await startExporting({ env, clock: systemClock(), log: silentLog, process: named });
  return async () => exporting?.stop(1_000);
}
