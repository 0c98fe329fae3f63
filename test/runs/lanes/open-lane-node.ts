/**
 * What each process of a run opens: its clock, its node over the shared table, its client. All go by the machine's clock
 * as it is, so that times of different processes compare exactly.
 */
import { createClient } from '../../../src/client/client.ts';
import { grpcTransport } from '../../../src/client/grpc/transport.ts';
import { aws } from '../../../src/engines/aws/index.ts';
import type { Client } from '../../../src/index.ts';
import { type HoldfastNode, startNode } from '../../../src/node/node.ts';
import { defaultLog } from '../../../src/platform/log.ts';
import type { Clock } from '../../../src/ports/clock.ts';
import type { DutyOptions } from '../../../src/runtime/nodes/duties.ts';
import { movingClock } from '../../fixtures/moving-clock.ts';
import { clientOf } from '../../stand-ins/dynoxide.ts';
import type { FromChild, Place, SharedPlace } from './process-messages.ts';

export function clockOf({ speed, startedAtMs }: SharedPlace): Clock {
  return movingClock({ speed, realStartMs: startedAtMs });
}

export function engineOf(place: SharedPlace, clock: Clock) {
  return aws({
    table: place.table,
    clock,
    log: defaultLog(),
    dynamodb: clientOf(place.dynamodb),
    sqs: { ...clientOf(place.sqs), useQueueUrlAsEndpoint: false },
  });
}

export function openNode(
  place: Place,
  clock: Clock,
  node: string,
  duties: DutyOptions = {},
): Promise<HoldfastNode> {
  return startNode({ engine: engineOf(place, clock), clock, log: defaultLog(), node, duties });
}

export function openClient(place: Place, clock: Clock, workerName: string): Client {
  const transport = grpcTransport({ address: place.address, plaintext: true, clock });
  return createClient(transport, { clock, log: defaultLog(), workerName, retryFor: '2m' });
}

/** The place that this process was given, and its other arguments. */
export function given(): { readonly place: Place; readonly rest: readonly string[] } {
  const [place = '', ...rest] = process.argv.slice(2);
  process.once('disconnect', () => process.exit(1));
  return { place: JSON.parse(place) as Place, rest };
}

export function tell(message: FromChild): void {
  process.send?.(message);
}
