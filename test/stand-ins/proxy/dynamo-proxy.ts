/**
 * A proxy in front of a DynamoDB stand-in that adds behaviour of AWS which the stand-in lacks: throttling, transaction
 * conflicts, torn transactions, stale index reads and stale inconsistent reads, delays, lost answers and outages. All other
 * requests pass through unchanged.
 *
 * Stale reads come from copies of the tables. The proxy reads a table once, and each item again after each write that
 * passes, so all writes must go through the proxy. Index reads are answered from a second table in the same stand-in,
 * which each version of an item reaches after a lag of its own. Inconsistent reads are answered from a third table,
 * which is one version behind.
 *
 * Not covered: PartiQL; a Delete in a torn transaction, which is visible at once; a conflict of a single write inside a batch (the whole batch conflicts); back-pressure of an
 * index on writes that do not touch it. The proxy derives the index writes of an update from its expression: it
 * understands top-level SET and REMOVE, and counts anything else as a change.
 */

import type { DynamoFaults } from './dynamo/faults.ts';
import { DynamoProtocol } from './dynamo/protocol.ts';
import { type FaultProxy, type PipelineOptions, startPipeline } from './pipeline.ts';
import { upstreamSender } from './send-upstream.ts';
import { upstreamAt } from './upstream.ts';

export type { DynamoFaults } from './dynamo/faults.ts';
export type { Limit } from './dynamo/throttle/limits.ts';

export interface DynamoProxyOptions extends PipelineOptions, DynamoFaults {
  /** The clock of the token buckets, in ms. Default: the machine's monotonic clock. */
  readonly now?: (() => number) | undefined;
}

export interface DynamoProxy extends FaultProxy<DynamoFaults> {
  /**
   * Ends every lag of stale reads and shows all items of torn transactions. Resolves when the proxy's copies of tables are
   * equal to the tables.
   */
  caughtUp(): Promise<void>;
}

/** Starts a DynamoDB proxy on a free port of 127.0.0.1. The faults in the options apply from the first request. */
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
  const protocol = new DynamoProtocol(upstreamSender(own, 'DynamoDB_20120810'), seed, now);
  const hooks = { ...(beforeRequest && { beforeRequest }), ...(afterRequest && { afterRequest }) };
  const pipeline = await startPipeline(protocol, { upstream: url, seed, ...hooks });
  const set = async (next: DynamoFaults): Promise<void> => {
    pipeline.faults = { ...pipeline.faults, ...next };
    await protocol.set(next);
  };
  await set(faults);
  return Object.assign(pipeline.proxy, {
    set,
    caughtUp: async () => {
      await protocol.tears.end();
      await protocol.copies.caughtUp();
    },
    close: async () => {
      await protocol.tears.end();
      protocol.copies.close();
      await pipeline.close();
      own.close();
    },
  });
}
