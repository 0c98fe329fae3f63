/**
 * A proxy in front of an SQS stand-in: it throttles queues, fails single entries of batches, is slow, loses requests
 * and answers, and is down. What a long poll
 * receives for a caller that has gone is put back at once. The rest passes through untouched. The client needs `useQueueUrlAsEndpoint: false`, else
 * it goes past the proxy to where a queue's URL says. Only the JSON protocol is read.
 */
import { askOf } from './ask.ts';
import { type FaultProxy, type PipelineOptions, startPipeline } from './pipeline.ts';
import { type SqsFaults, SqsProtocol } from './sqs/protocol.ts';
import { upstreamAt } from './upstream.ts';

export type { SqsFaults, SqsLimit } from './sqs/protocol.ts';

export interface SqsProxyOptions extends PipelineOptions, SqsFaults {
  /** The clock of the buckets, in ms; default: the machine's monotonic one. */
  readonly now?: (() => number) | undefined;
}

export type SqsProxy = FaultProxy<SqsFaults>;

/** Starts one on a free port of 127.0.0.1. Faults given here hold from the first request. */
export async function startSqsProxy(options: SqsProxyOptions): Promise<SqsProxy> {
  const { upstream, seed, now = () => performance.now(), beforeRequest, afterRequest, ...faults } = options;
  const own = upstreamAt(upstream);
  const protocol = new SqsProtocol(askOf(own, 'AmazonSQS'), seed, now);
  const hooks = { ...(beforeRequest && { beforeRequest }), ...(afterRequest && { afterRequest }) };
  const pipeline = await startPipeline(protocol, { upstream, seed, ...hooks });
  const set = async (next: SqsFaults): Promise<void> => {
    pipeline.faults = { ...pipeline.faults, ...next };
    protocol.set(next);
  };
  await set(faults);
  return Object.assign(pipeline.proxy, { set, close: () => pipeline.close().finally(own.close) });
}
