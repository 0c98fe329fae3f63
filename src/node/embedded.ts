/** Opens a node in the caller's own process. The file imports neither the AWS engine nor a listener. */
import { systemClock } from '../platform/clock.ts';
import { silentLog } from '../ports/log.ts';
import { openEngine } from './open/engine.ts';
import { type HoldfastNode, type NodeOptions, startNode } from './start-node.ts';

/** Opens a node in the caller's own process, for `connect("file:…")` and `connect("memory:")`. */
export async function openEmbedded(
  url: string,
  { log = silentLog, tracing }: Partial<Pick<NodeOptions, 'log' | 'tracing'>> = {},
): Promise<HoldfastNode> {
  const clock = systemClock();
  return startNode({ engine: await openEngine(url, { clock, log }), clock, log, tracing });
}
