/** `connect` for `holdfast worker`: with metrics, and with the log of servers. */
import {
  type Connect,
  type ConnectOptions,
  type ConnectTarget,
  connector,
  resolveTarget,
} from '../client/connect.ts';
import { defaultLog } from '../platform/log.ts';
import type { WorkerMetrics } from '../ports/metrics.ts';
import { nodeParts } from './parts.ts';

/** Returns a `connect` whose clients count their calls and attempts, for `holdfast worker`. */
export function meteredConnect(metrics: WorkerMetrics | undefined): Connect {
  return connector({ ...nodeParts, log: defaultLog, metrics });
}

/** Returns the target that `connect` would use, for a program that shows what it connects to. */
export function connectTarget(url?: string, options?: Pick<ConnectOptions, 'tls'>): ConnectTarget {
  return resolveTarget(nodeParts, url, options);
}
