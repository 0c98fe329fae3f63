/**
 * A table whose shard counts grow, and nodes on this table that each have their own clock and their own cached shard
 * counts.
 */
import { QueryCommand } from '@aws-sdk/client-dynamodb';
import { onTestFinished } from 'vitest';
import { fold } from '../../../src/core/task/evolve.ts';
import {
  createTable,
  growShards,
  type RequestedShards,
  type ShardCounts,
} from '../../../src/engines/aws/index.ts';
import { openTable, type TableParts } from '../../../src/engines/aws/table/open.ts';
import { duePartition, keyNames, listPartition } from '../../../src/engines/aws/table/schema/keys.ts';
import type { MemoryEngine } from '../../../src/engines/memory/index.ts';
import { systemClock } from '../../../src/platform/clock.ts';
import type { Clock } from '../../../src/ports/clock.ts';
import { type Log, silentLog } from '../../../src/ports/log.ts';
import type { Snapshot } from '../../../src/ports/task-store.ts';
import { type Duties, dutiesOf } from '../../../src/runtime/nodes/duties.ts';
import { reconcile } from '../../../src/runtime/reconcile.ts';
import { sweep } from '../../../src/runtime/sweep.ts';
import { createService, type RunningService } from '../../../src/service/create-service.ts';
import { externalMemory } from '../../../src/testing/external-broker.ts';
import { type ProcessClock, type VirtualClock, virtualClock } from '../../../src/testing/virtual-clock.ts';
import { queue, type SubmissionRequest, submissionOf } from '../../contract/submissions.ts';
import { clientOf } from '../../stand-ins/dynoxide.ts';

const never = new AbortController().signal;
let tables = 0;

export interface NodeOptions {
  /** Offset of the node's wall clock in ms. Default: 0. */
  readonly offsetMs?: number | undefined;
  /** Endpoint of DynamoDB for this node. Default: the endpoint of the table. */
  readonly endpoint?: string | undefined;
  readonly clock?: Partial<Clock> | undefined;
  readonly log?: Log | undefined;
}

export class GrowingTable {
  readonly clock: VirtualClock;
  readonly brokerEngine: MemoryEngine;
  readonly endpoint: string;
  readonly name: string;
  readonly #outside: TableParts;
  /** Ids of all tasks that the nodes have accepted. */
  readonly acceptedIds: string[] = [];

  private constructor(endpoint: string) {
    // Each table needs a virtual clock with its own seed: the clock's random numbers make the client tokens of
    // transactions, and the DynamoDB stand-in keeps the tokens of all tables.
    this.clock = virtualClock({ seed: 20_000 + ++tables });
    this.brokerEngine = externalMemory({ clock: this.clock });
    this.endpoint = endpoint;
    this.name = `growing-${tables}`;
    this.#outside = openTable({ table: this.name, clock: systemClock(), client: clientOf(endpoint) });
  }

  static async open(endpoint: string): Promise<GrowingTable> {
    const table = new GrowingTable(endpoint);
    await createTable(table.#outside.client, table.name, systemClock());
    onTestFinished(() => table.#outside.close());
    return table;
  }

  node(name: string, options: NodeOptions = {}): Promise<GrowingNode> {
    return GrowingNode.start(this, name, options);
  }

  /** Raises the shard counts, as `holdfast aws init` does. */
  async grow(requested: RequestedShards): Promise<void> {
    await growShards(this.#outside.registry, requested);
  }

  /** Counts the entries of an index in the shards with numbers from `first` to `count` - 1. */
  async countEntriesFrom(index: keyof ShardCounts, first: number, count: number): Promise<number> {
    let entries = 0;
    for (let shard = first; shard < count; shard++) {
      const partition = index === 'list' ? listPartition(queue, shard) : duePartition(shard);
      const answer = await this.#outside.client.send(
        new QueryCommand({
          TableName: this.name,
          IndexName: index,
          KeyConditionExpression: `${keyNames[index][0]} = :partition`,
          ExpressionAttributeValues: { ':partition': { S: partition } },
          Select: 'COUNT',
        }),
      );
      entries += answer.Count ?? 0;
    }
    return entries;
  }
}

export class GrowingNode {
  readonly clock: ProcessClock;
  readonly parts: TableParts;
  readonly #table: GrowingTable;
  readonly #running: RunningService;
  readonly #duties: Duties;
  readonly #name: string;
  #keys = 0;

  private constructor(
    table: GrowingTable,
    name: string,
    clock: ProcessClock,
    parts: TableParts,
    running: RunningService,
  ) {
    this.#table = table;
    this.#name = name;
    this.clock = clock;
    this.parts = parts;
    this.#running = running;
    this.#duties = dutiesOf(running.context);
  }

  static async start(table: GrowingTable, name: string, options: NodeOptions): Promise<GrowingNode> {
    const { offsetMs, endpoint = table.endpoint, log = silentLog } = options;
    const clock = table.clock.process(offsetMs);
    // The time of this clock moves only when the test advances it, but `sleep` waits in real time, because the engine
    // waits for a DynamoDB stand-in in another process.
    const engineClock = { ...clock, sleep: systemClock().sleep, ...options.clock };
    const parts = openTable({ table: table.name, clock: engineClock, log, client: clientOf(endpoint) });
    onTestFinished(() => parts.close());
    const { store, registry } = parts;
    const { broker } = table.brokerEngine.connect(name);
    const running = await createService({
      store,
      registry,
      broker,
      node: name,
      clock,
      log,
      createQueues: true,
    });
    await running.context.queues.ensure(queue);
    return new GrowingNode(table, name, clock, parts, running);
  }

  /** Accepts tasks without sending dispatch messages, like a node that dies before it sends them. */
  async accept(count: number, requested: Omit<SubmissionRequest, 'key'> = {}): Promise<string[]> {
    const batch = Array.from({ length: count }, () => {
      const submission = submissionOf(requested, `${this.#name}-${++this.#keys}`, this.clock.now());
      return { submission, head: fold([submission.submitted]) };
    });
    const ids = (await this.parts.store.accept(batch)).map((one) => {
      if (one.kind !== 'fresh') throw new Error(`not accepted: ${one.kind}`);
      return one.snapshot.id;
    });
    this.#table.acceptedIds.push(...ids);
    return ids;
  }

  async list(limit = 100): Promise<Snapshot[]> {
    const items: Snapshot[] = [];
    let cursor: string | undefined;
    do {
      const page = await this.parts.store.list(queue, { limit, cursor, nowMs: this.clock.now() });
      items.push(...page.items);
      cursor = page.cursor;
    } while (cursor !== undefined);
    return items;
  }

  /** Renews the node's membership and takes its share of the due index's shards, as a node does every few seconds. */
  async heartbeat(): Promise<void> {
    await this.#duties.membership?.beat();
  }

  /** Numbers of the shards that this node sweeps at the moment. */
  get shards(): readonly number[] {
    return this.#duties.membership?.shards ?? [];
  }

  /** Processes all due tasks in the node's shards. */
  async sweep(): Promise<void> {
    while (await sweep(this.#running.context, never, this.#duties.sweeps)) {
      // One call of `sweep` handles a bounded number of due entries.
    }
  }

  async reconcile(): Promise<void> {
    await reconcile(this.#running.context, never, { isMine: this.#duties.reconciles });
  }
}

/** Returns the task ids in sorted order, so that a test notices a task that is listed twice. */
export function idsOf(items: readonly Snapshot[]): string[] {
  return items.map(({ id }) => id).toSorted();
}
