import { hostname } from 'node:os';
import type { ConnectParts } from '../client/connect.ts';
import { systemClock } from '../platform/clock.ts';
import { lineLog } from '../platform/log/line-log.ts';
import { processPresence } from '../platform/presence.ts';
import { packageVersion } from '../platform/version.ts';
import { OtelTracing } from '../telemetry/traces/otel-tracing.ts';

/** The parts of a client of a server: this process, without a store, and with a log that needs no package. */
export const remoteParts: ConnectParts = {
  clock: systemClock(),
  presence: processPresence(),
  workerName: `${hostname()}/${process.pid}`,
  cwd: () => process.cwd(),
  env: process.env,
  log: lineLog,
  tracing: new OtelTracing(packageVersion),
};
