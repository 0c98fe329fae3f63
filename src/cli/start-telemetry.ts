/** Starts the export of traces of a process of the command. Without a configured endpoint nothing of it is loaded. */
import type { Clock } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';
import type { Tracing } from '../ports/tracing.ts';

export interface RunningTelemetry {
  readonly tracing: Tracing;
  /** Sends what is left, for at most `limitMs`. */
  stop(limitMs: number): Promise<void>;
}

/**
 * Starts the export of traces if the environment names an endpoint of OTLP. The tracing also uses an SDK that the user's own
 * module has registered.
 *
 * @throws HoldfastError BAD_CONFIGURATION if the environment has a value that means nothing.
 */
export async function startTelemetry(
  serviceName: string,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
): Promise<RunningTelemetry> {
  const [{ startExporting }, { OtelTracing }, { packageVersion }] = await Promise.all([
    import('../telemetry/traces/start-exporting.ts'),
    import('../telemetry/traces/otel-tracing.ts'),
    import('../platform/version.ts'),
  ]);
  const version = packageVersion();
  const exporting = await startExporting({ env: process.env, clock, log, serviceName, version });
  return { tracing: new OtelTracing(() => version), stop: (limitMs) => exporting.stop(limitMs) };
}
