/** Nodes on one table whose shards grow, each with a clock and a knowledge of its own. */
import { QueryCommand } from '@aws-sdk/client-dynamodb';
import { onTestFinished } from 'vitest';
import { fold } from '../../../src/core/task/evolve.ts';
import {
  type AskedShards,
  createTable,
  growShards,
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
import { type Asked, queue, submissionOf } from '../../contract/submissions.ts';
import { clientOf } from '../../stand-ins/dynoxide.ts';

const never = new AbortController().signal;
let tables = 0;

export interface NodeOptions {
  /** How far its wall clock is off. Default 0. */
  readonly offsetMs?: number | undefined;
  /** Its way to the table, where it is not the common one. */
  readonly endpoint?: string | undefined;
  readonly clock?: Partial<Clock> | undefined;
  readonly log?: Log | undefined;
}

export class GrowingSite {
  readonly clock: VirtualClock;
  readonly brokerEngine: MemoryEngine;
  readonly endpoint: string;
  readonly table: string;
  readonly #outside: TableParts;
  /** Ids of all that was accepted, by any node. */
  readonly accepted: string[] = [];

  private constructor(endpoint: string) {
    // Tokens come from the clock's chance, and the stand-in knows those of every table.
    this.clock = virtualClock({ seed: 20_000 + ++tables });
    this.brokerEngine = externalMemory({ clock: this.clock });
    this.endpoint = endpoint;
    this.table = `growing-${tables}`;
    this.#outside = openTable({ table: this.table, clock: systemClock(), client: clientOf(endpoint) });
  }

  static async open(endpoint: string): Promise<GrowingSite> {
    const site = new GrowingSite(endpoint);
    await createTable(site.#outside.client, site.table, systemClock());
    onTestFinished(() => site.#outside.close());
    return site;
  }

  node(name: string, options: NodeOptions = {}): Promise<GrowingNode> {
    return GrowingNode.start(this, name, options);
  }

  /** As `holdfast aws init` does. */
  async grow(asked: AskedShards): Promise<void> {
    await growShards(this.#outside.registry, asked);
  }

  /** How many entries an index has in its shards from this one on. */
  async entriesFrom(index: keyof ShardCounts, first: number, count: number): Promise<number> {
    let entries = 0;
    for (let shard = first; shard < count; shard++) {
      const partition = index === 'list' ? listPartition(queue, shard) : duePartition(shard);
      const answer = await this.#outside.client.send(
        new QueryCommand({
          TableName: this.table,
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
  readonly #site: GrowingSite;
  readonly #running: RunningService;
  readonly #duties: Duties;
  readonly #name: string;
  #keys = 0;

  private constructor(
    site: GrowingSite,
    name: string,
    clock: ProcessClock,
    parts: TableParts,
    running: RunningService,
  ) {
    this.#site = site;
    this.#name = name;
    this.clock = clock;
    this.parts = parts;
    this.#running = running;
    this.#duties = dutiesOf(running.context);
  }

  static async start(site: GrowingSite, name: string, options: NodeOptions): Promise<GrowingNode> {
    const { offsetMs, endpoint = site.endpoint, log = silentLog } = options;
    const clock = site.clock.process(offsetMs);
    // Time stands still, but what the engine itself waits for is a real process.
    const engineClock = { ...clock, sleep: systemClock().sleep, ...options.clock };
    const parts = openTable({ table: site.table, clock: engineClock, log, client: clientOf(endpoint) });
    onTestFinished(() => parts.close());
    const { store, registry } = parts;
    const { broker } = site.brokerEngine.connect(name);
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
    return new GrowingNode(site, name, clock, parts, running);
  }

  /** Accepts so many by itself, as a submitter that died before it rang. */
  async accept(count: number, asked: Omit<Asked, 'key'> = {}): Promise<string[]> {
    const batch = Array.from({ length: count }, () => {
      const submission = submissionOf(asked, `${this.#name}-${++this.#keys}`, this.clock.now());
      return { submission, head: fold([submission.submitted]) };
    });
    const ids = (await this.parts.store.accept(batch)).map((one) => {
      if (one.kind !== 'fresh') throw new Error(`not accepted: ${one.kind}`);
      return one.snapshot.id;
    });
    this.#site.accepted.push(...ids);
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

  /** Says that it lives and takes its share, as it does every few seconds. */
  async beat(): Promise<void> {
    await this.#duties.membership?.beat();
  }

  /** What it sweeps at this moment. */
  get shares(): readonly number[] {
    return this.#duties.membership?.shards ?? [];
  }

  /** Serves all that is due in its share. */
  async sweep(): Promise<void> {
    while (await sweep(this.#running.context, never, this.#duties.sweeps)) {
      // There may be more.
    }
  }

  async reconcile(): Promise<void> {
    await reconcile(this.#running.context, never, { isMine: this.#duties.looksAfter });
  }
}

/** Sorted, so that a task that is there twice shows. */
export function idsOf(items: readonly Snapshot[]): string[] {
  return items.map(({ id }) => id).toSorted();
}
