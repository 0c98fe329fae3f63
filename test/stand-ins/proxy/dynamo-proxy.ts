/**
 * A proxy in front of a DynamoDB stand-in that does what AWS does and the stand-in does not: it throttles, lets
 * transactions conflict, answers index reads and non-consistent reads late, is slow, loses answers and is down. What
 * it has no part in passes through untouched.
 *
 * How the copies are made: the proxy reads a table once, and each item again after each write of it that passes. So
 * it must be the only way by which anyone writes. Index reads come from a second table, in the same stand-in, that
 * each image reaches after a lag of its own; reads that are not consistent from a third, one version back.
 *
 * Not covered: PartiQL; single writes held up by a transaction's conflict inside a batch (a batch conflicts as a
 * whole); back-pressure of an index on writes that don't touch it; the index writes of an update are told from its
 * expression (top-level SET and REMOVE; anything else counts as a change).
 */
import { askOf } from './ask.ts';
import type { DynamoFaults } from './dynamo/faults.ts';
import { DynamoProtocol } from './dynamo/protocol.ts';
import { type FaultProxy, type PipelineOptions, startPipeline } from './pipeline.ts';
import { upstreamAt } from './upstream.ts';

export type { DynamoFaults } from './dynamo/faults.ts';
export type { Limit } from './dynamo/throttle/limits.ts';

export interface DynamoProxyOptions extends PipelineOptions, DynamoFaults {
  /** The clock of the buckets, in ms; default: the machine's monotonic one. */
  readonly now?: (() => number) | undefined;
}

export interface DynamoProxy extends FaultProxy<DynamoFaults> {
  /** Ends every lag; resolves when the copies equal their tables. */
  caughtUp(): Promise<void>;
}

/** Starts one on a free port of 127.0.0.1. Faults given here hold from the first request. */
export async function startDynamoProxy(options: DynamoProxyOptions): Promise<DynamoProxy> {
  const {
    upstream: url,
    seed,
    now = () => performance.now(),
    beforeRequest,
    afterRequest,
    ...faults
  } = options;
  const own = upstreamAt(url);
  const protocol = new DynamoProtocol(askOf(own, 'DynamoDB_20120810'), seed, now);
  const hooks = { ...(beforeRequest && { beforeRequest }), ...(afterRequest && { afterRequest }) };
  const pipeline = await startPipeline(protocol, { upstream: url, seed, ...hooks });
  const set = async (next: DynamoFaults): Promise<void> => {
    pipeline.faults = { ...pipeline.faults, ...next };
    await protocol.set(next);
  };
  await set(faults);
  return Object.assign(pipeline.proxy, {
    set,
    caughtUp: () => protocol.copies.caughtUp(),
    close: async () => {
      protocol.copies.close();
      await pipeline.close();
      own.close();
    },
  });
}
