/**
 * Opens the clock, the node and the client of a process of a run of `npm run lanes`. All processes take the time from
 * the machine's clock, so that the times of different processes can be compared exactly.
 */
import { createClient } from '../../../src/client/create-client.ts';
import { grpcTransport } from '../../../src/client/grpc/transport.ts';
import { aws } from '../../../src/engines/aws/index.ts';
import type { Client } from '../../../src/index.ts';
import { type HoldfastNode, startNode } from '../../../src/node/node.ts';
import { defaultLog } from '../../../src/platform/log.ts';
import type { Clock } from '../../../src/ports/clock.ts';
import type { DutyOptions } from '../../../src/runtime/nodes/duties.ts';
import { movingClock } from '../../fixtures/moving-clock.ts';
import { clientOf } from '../../stand-ins/dynoxide.ts';
import type { LaneAddress, LaneReport, LaneStoreAddress } from './process-messages.ts';

export function clockOf({ speed, startedAtMs }: LaneStoreAddress): Clock {
  return movingClock({ speed, realStartMs: startedAtMs });
}

export function engineOf(store: LaneStoreAddress, clock: Clock) {
  return aws({
    table: store.table,
    clock,
    log: defaultLog(),
    dynamodb: clientOf(store.dynamodb),
    sqs: { ...clientOf(store.sqs), useQueueUrlAsEndpoint: false },
  });
}

export function openNode(
  address: LaneAddress,
  clock: Clock,
  node: string,
  duties: DutyOptions = {},
): Promise<HoldfastNode> {
  return startNode({ engine: engineOf(address, clock), clock, log: defaultLog(), node, duties });
}

export function openClient({ api }: LaneAddress, clock: Clock, workerName: string): Client {
  const transport = grpcTransport({ address: api, plaintext: true, clock });
  return createClient(transport, { clock, log: defaultLog(), workerName, retryFor: '2m' });
}

/** Returns the address that this process got from its parent, and its other arguments. */
export function processArguments(): { readonly address: LaneAddress; readonly rest: readonly string[] } {
  const [address = '', ...rest] = process.argv.slice(2);
  process.once('disconnect', () => process.exit(1));
  return { address: JSON.parse(address) as LaneAddress, rest };
}

export function report(message: LaneReport): void {
  process.send?.(message);
}
