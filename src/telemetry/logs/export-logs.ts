import type { ReadableLogRecord } from '@opentelemetry/sdk-logs';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import type { Environment } from '../otlp/environment.ts';
import { unlessMissing } from '../otlp/missing-packages.ts';
import { LineExport, type SendLines } from './line-export.ts';
import { logRecord } from './log-record.ts';
import { type LogSettings, logSettings } from './log-settings.ts';

/** The packages by which a process exports its log lines. A program that exports none needs none of them. */
const packages = ['@opentelemetry/resources', '@opentelemetry/exporter-logs-otlp-proto'];

export interface LogExportOptions {
  readonly env: Environment;
  readonly clock: Clock;
  /** The log whose lines are exported. */
  readonly log: Log;
  /** Gives each line of the log, as JSON, to `read`. The function that it returns ends that. */
  readonly readLines: (read: (line: string) => void) => () => void;
  /** The attributes by which the process names itself (`processAttributes`). */
  readonly process: Readonly<Record<string, string>>;
}

export interface LogExport {
  /** The lines that no collector got, since the start of the process. */
  readonly dropped: number;
  /** Sends what is left, for at most `limitMs`, and then sends nothing more. */
  stop(limitMs: number): Promise<void>;
}

/**
 * Sends the lines of a log to a collector by OTLP, if the environment asks for it. The lines are written as before. Returns
 * undefined if the environment does not ask for it, or, with a line of the log, if packages of OpenTelemetry are missing.
 *
 * @throws HoldfastError BAD_CONFIGURATION if the environment has a value that means nothing.
 */
export async function startLogExport(options: LogExportOptions): Promise<LogExport | undefined> {
  const { env, clock, log, readLines } = options;
  const settings = logSettings(env);
  if (settings === undefined) return undefined;
  const send = await unlessMissing(log, 'logs', packages, () => openExporter(options, settings));
  if (send === undefined) return undefined;
  const exporting = new LineExport({ ...settings, clock, log, send });
  const end = readLines((line) => exporting.add(line));
  if (settings.ignored !== undefined) log.warn({}, settings.ignored);
  return {
    get dropped() {
      return exporting.dropped;
    },
    async stop(limitMs) {
      await exporting.stop(limitMs);
      end();
    },
  };
}

async function openExporter(
  { clock, process }: LogExportOptions,
  { url, timeoutMs }: LogSettings,
): Promise<SendLines> {
  const [resources, { OTLPLogExporter }] = await Promise.all([
    import('@opentelemetry/resources'),
    import('@opentelemetry/exporter-logs-otlp-proto'),
  ]);
  const shared = {
    resource: resources.resourceFromAttributes(process),
    instrumentationScope: { name: 'holdfast', version: process['service.version'] ?? '' },
  };
  // A collector that does not answer has at most one request.
  const exporter = new OTLPLogExporter({ url, timeoutMillis: timeoutMs, concurrencyLimit: 1 });
  return (lines) => {
    const nowMs = clock.now();
    const records: ReadableLogRecord[] = lines.map((line) => logRecord(line, nowMs, shared));
    return new Promise((resolve, reject) => {
      exporter.export(records, ({ error, code }) => {
        if (code === 0) resolve();
        else reject(error ?? new Error('the collector did not take the lines'));
      });
    });
  };
}
