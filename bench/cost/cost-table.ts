/**
 * Starts a table with its SQS queues on local stand-ins, and nodes on them, with a clock that the benchmark controls.
 */

import type { QueueRef } from '../../src/core/queue-ref.ts';
import { closeGraceMs } from '../../src/engines/aws/broker/priority-level.ts';
import {
  type AwsEngine,
  aws,
  createQueues,
  createTable,
  sqsQueuesOf,
  tableClient,
} from '../../src/engines/aws/index.ts';
import type { Clock } from '../../src/ports/clock.ts';
import { silentLog } from '../../src/ports/log.ts';
import { createService, type RunningService } from '../../src/service/create-service.ts';
import type { VirtualClock } from '../../src/testing/virtual-clock.ts';
import { type MovingClock, movingClock } from '../../test/fixtures/moving-clock.ts';
import { clientOf, startDynoxide } from '../../test/stand-ins/dynoxide.ts';
import { startFauxqs } from '../../test/stand-ins/fauxqs.ts';
import { type SqsStandIn, standInClient } from '../../test/stand-ins/sqs-stand-in.ts';
import { standInClock } from '../../test/stand-ins/stand-in-clock.ts';
import { InFlightTracker, TrackedHandler } from './in-flight-calls.ts';
import { noUnits, plus, type Units } from './prices.ts';

/** A Holdfast service whose consumption of DynamoDB and SQS is measured. */
export interface CostNode extends RunningService {
  readonly engine: AwsEngine;
}

/** A DynamoDB table with its SQS queues, and the nodes that use them, on local stand-ins. */
export interface Site<C extends Clock = Clock> {
  readonly clock: C;
  readonly endpoint: string;
  readonly table: string;
  node(name: string): Promise<CostNode>;
  queue(name: string): Promise<QueueRef>;
  /**
   * Returns the consumption of all nodes since the last `reset`; the argument 'registry' leaves out the calls to the
   * registry.
   */
  consumed(without?: 'registry'): Units;
  reset(): void;
  stop(): Promise<void>;
}

const tickMs = 5;
let sites = 0;

async function startOn<C extends Clock>(
  sqs: SqsStandIn,
  clock: C,
  inFlight: InFlightTracker,
  /** Waits until the nodes have closed, and advances the clock as far as the closing needs. */
  end: (closed: Promise<unknown>) => Promise<void>,
): Promise<Site<C>> {
  const dynoxide = await startDynoxide();
  const table = `cost-${++sites}`;
  const tables = tableClient(clientOf(dynoxide.endpoint));
  await createTable(tables, table, movingClock());
  tables.destroy();
  const queues = standInClient(sqs.endpoint);
  const nodes: CostNode[] = [];
  return {
    clock,
    endpoint: dynoxide.endpoint,
    table,
    async node(name) {
      const requestHandler = new TrackedHandler(inFlight);
      const sqsConfig = { ...clientOf(sqs.endpoint), useQueueUrlAsEndpoint: false, requestHandler };
      const dynamodb = { ...clientOf(dynoxide.endpoint), requestHandler };
      const engine = aws({ table, clock, dynamodb, sqs: sqsConfig });
      const options = { ...engine, node: name, clock, log: silentLog, createQueues: true };
      const made = { ...(await createService(options)), engine };
      nodes.push(made);
      return made;
    },
    async queue(name) {
      const ref = { tenant: 'default', queue: name };
      await createQueues(queues, sqsQueuesOf(table, ref));
      for (const { context } of nodes) await context.queues.ensure(ref);
      return ref;
    },
    consumed: (without) => nodes.map(({ engine }) => consumedBy(engine, without)).reduce(plus, noUnits),
    reset() {
      for (const { engine } of nodes) {
        engine.meters.table.reset();
        engine.meters.queues.reset();
      }
    },
    async stop() {
      await end(Promise.all(nodes.map(({ engine }) => engine.close())));
      queues.destroy();
      await Promise.all([dynoxide.stop(), sqs.stop()]);
    },
  };
}

/** Starts a table with queues and nodes on a clock that runs with the machine's clock and can be moved forward. */
export async function startSite(): Promise<Site<MovingClock>> {
  const clock = movingClock();
  const sqs = await startFauxqs();
  sqs.setTime(clock.now());
  const ticking = setInterval(() => sqs.setTime(clock.now()), tickMs);
  return startOn(sqs, clock, new InFlightTracker(), async (closed) => {
    await closed;
    clearInterval(ticking);
  });
}

/**
 * Starts a table with queues and nodes on a clock that moves only when it is advanced, and that then waits at each step
 * for the calls to AWS in flight.
 */
export async function startStillSite(): Promise<Site<VirtualClock>> {
  const sqs = await startFauxqs();
  const inFlight = new InFlightTracker();
  const clock = standInClock({ front: inFlight, setTime: sqs.setTime });
  inFlight.clock = clock;
  return startOn(sqs, clock, inFlight, async (closed) => {
    await clock.advance(closeGraceMs);
    await closed;
  });
}

function consumedBy({ meters }: AwsEngine, without: string | undefined): Units {
  let [writes, indexWrites, refusedWrites, reads, sqsCalls] = [0, 0, 0, 0, 0];
  for (const [kind, one] of Object.entries(meters.table.read())) {
    if (kind === without) continue;
    writes += one.writeUnits + one.failedUnits;
    indexWrites += one.indexWriteUnits;
    refusedWrites += one.failedUnits;
    reads += one.readUnits;
  }
  for (const [kind, one] of Object.entries(meters.queues.read())) {
    // Calls that look up the URL of a queue are not counted, because a process looks up each URL only once.
    if (kind !== 'lookUp') sqsCalls += one.calls;
  }
  return { writes, indexWrites, refusedWrites, reads, sqsCalls };
}
