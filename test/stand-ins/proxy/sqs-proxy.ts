/**
 * A proxy in front of an SQS stand-in that adds throttling, failures of single batch entries, delays, lost requests and
 * answers, and outages. It makes messages visible again that a long poll received for a caller that has disconnected.
 * All other requests pass through unchanged. Clients need `useQueueUrlAsEndpoint: false`; otherwise they bypass the
 * proxy and call the host in the queue's URL. The proxy reads only the JSON protocol.
 */

import { type FaultProxy, type PipelineOptions, startPipeline } from './pipeline.ts';
import { upstreamSender } from './send-upstream.ts';
import { type SqsFaults, SqsProtocol } from './sqs/protocol.ts';
import { upstreamAt } from './upstream.ts';

export type { SqsFaults, SqsLimit } from './sqs/protocol.ts';

export interface SqsProxyOptions extends PipelineOptions, SqsFaults {
  /** The clock of the token buckets, in ms. Default: the machine's monotonic clock. */
  readonly now?: (() => number) | undefined;
}

export type SqsProxy = FaultProxy<SqsFaults>;

/** Starts an SQS proxy on a free port of 127.0.0.1. The faults in the options apply from the first request. */
export async function startSqsProxy(options: SqsProxyOptions): Promise<SqsProxy> {
  const { upstream, seed, now = () => performance.now(), beforeRequest, afterRequest, ...faults } = options;
  const own = upstreamAt(upstream);
  const protocol = new SqsProtocol(upstreamSender(own, 'AmazonSQS'), seed, now);
  const hooks = { ...(beforeRequest && { beforeRequest }), ...(afterRequest && { afterRequest }) };
  const pipeline = await startPipeline(protocol, { upstream, seed, ...hooks });
  const set = async (next: SqsFaults): Promise<void> => {
    pipeline.faults = { ...pipeline.faults, ...next };
    protocol.set(next);
  };
  await set(faults);
  return Object.assign(pipeline.proxy, { set, close: () => pipeline.close().finally(own.close) });
}
