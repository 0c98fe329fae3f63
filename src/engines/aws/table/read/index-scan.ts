import type { TaskFilter, TaskId } from '../../../../ports/task-store.ts';
import type { AwsContext } from '../context.ts';
import { s } from '../items/rows.ts';
import { defaultShards } from '../schema/definition.ts';
import {
  exceptionsPartition,
  type Item,
  idFromListSort,
  keyNames,
  listPartition,
  timeKey,
} from '../schema/keys.ts';

/** The entry of a task in an index of the table. */
export interface IndexEntry {
  readonly id: TaskId;
  /** Sort key of the index entry: time of acceptance, then task id. */
  readonly sort: string;
  /** Task type; undefined if the index does not project the type. */
  readonly type: string | undefined;
  readonly tags: readonly string[] | undefined;
  readonly item: Item;
}

interface IndexPartition {
  readonly index: 'list' | 'exceptions';
  readonly key: string;
}

/**
 * Task states that have partitions of their own in the exceptions index. Tasks in other states are found by filtering
 * the list index.
 */
const exceptionStates: ReadonlySet<TaskFilter['state']> = new Set(['dead', 'cancelled', 'retrying']);

async function partitionsOf(context: AwsContext, filter: TaskFilter): Promise<IndexPartition[]> {
  const { state } = filter;
  if (state !== undefined && exceptionStates.has(state)) {
    return [{ index: 'exceptions', key: exceptionsPartition(filter, state) }];
  }
  const { list } = await context.shards.countsToRead();
  return Array.from({ length: list }, (_, shard) => ({
    index: 'list',
    key: listPartition(filter, shard),
  }));
}

const afterAllSorts = '~';
/** Number of index entries that one query can read at the lowest price of a query. */
const cheapItems = 16;

/** Reads one partition of an index, newest entry first, one page at a time. */
class PartitionScan {
  readonly #context: AwsContext;
  readonly #partition: IndexPartition;
  readonly #fromSort: string;
  readonly #untilSort: string;
  readonly #pageItems: number;
  #page: IndexEntry[] = [];
  #next: Item | undefined;
  #begun = false;

  constructor(
    context: AwsContext,
    partition: IndexPartition,
    filter: TaskFilter,
    after: string | undefined,
    pageItems: number,
  ) {
    this.#context = context;
    this.#partition = partition;
    this.#fromSort = timeKey(filter.acceptedFromMs ?? 0);
    const until = filter.acceptedUntilMs === undefined ? afterAllSorts : timeKey(filter.acceptedUntilMs);
    this.#untilSort = after !== undefined && after < until ? after : until;
    this.#pageItems = pageItems;
  }

  get first(): IndexEntry | undefined {
    return this.#page[0];
  }

  take(): void {
    this.#page.shift();
  }

  /** Reads pages of the index partition until `first` is the next entry or the partition has no more entries. */
  async fill(): Promise<void> {
    while (this.#page.length === 0 && !(this.#begun && this.#next === undefined)) {
      const page = await this.#query();
      this.#begun = true;
      this.#next = page.next;
      // The query includes its upper bound, but the bound is the last entry of an earlier page or an exclusive time.
      // So an entry at the bound is dropped.
      this.#page = page.items
        .map((item) => this.#entry(item))
        .filter((entry) => entry.sort < this.#untilSort);
    }
  }

  #query(): ReturnType<AwsContext['calls']['query']> {
    const [partition, sort] = keyNames[this.#partition.index];
    const empty = this.#fromSort > this.#untilSort;
    if (empty) return Promise.resolve({ items: [], next: undefined });
    return this.#context.calls.query('list', {
      IndexName: this.#partition.index,
      KeyConditionExpression: `${partition} = :partition AND ${sort} BETWEEN :least AND :most`,
      ExpressionAttributeValues: {
        ':partition': s(this.#partition.key),
        ':least': s(this.#fromSort),
        ':most': s(this.#untilSort),
      },
      ScanIndexForward: false,
      Limit: this.#pageItems,
      ExclusiveStartKey: this.#next,
    });
  }

  #entry(item: Item): IndexEntry {
    const sort = item[keyNames[this.#partition.index][1]]?.S ?? '';
    const isList = this.#partition.index === 'list';
    const tags = isList ? (item.tg?.SS ?? []) : undefined;
    return { id: idFromListSort(sort), sort, type: isList ? item.ty?.S : undefined, tags, item };
  }
}

/** Merges the partitions of an index into one list, newest first. */
export class IndexScan {
  readonly #partitions: PartitionScan[];

  private constructor(partitions: PartitionScan[]) {
    this.#partitions = partitions;
  }

  /**
   * Opens a scan of an index that continues behind `after`, the sort key at which an earlier page ended. If shards
   * were added since that page, no entry is missed, because new shards hold only tasks accepted later. `pageItems` is
   * the maximum number of entries needed from one partition if the table has the default number of shards.
   */
  static async open(
    context: AwsContext,
    filter: TaskFilter,
    after: string | undefined,
    pageItems: number,
  ): Promise<IndexScan> {
    const partitions = await partitionsOf(context, filter);
    // If the index has more partitions, each one holds fewer of the wanted entries. Up to `cheapItems` entries cost no
    // more than one entry.
    const share = Math.max(cheapItems, Math.ceil((pageItems * defaultShards.list) / partitions.length));
    const each = Math.min(pageItems, share);
    return new IndexScan(
      partitions.map((partition) => new PartitionScan(context, partition, filter, after, each)),
    );
  }

  /** Returns the next index entries, at most `most`; fewer only at the end of the list. */
  async next(most: number): Promise<IndexEntry[]> {
    const entries: IndexEntry[] = [];
    while (entries.length < most) {
      await Promise.all(this.#partitions.map((partition) => partition.fill()));
      const newest = this.#partitions.reduce((a, b) =>
        (b.first?.sort ?? '') > (a.first?.sort ?? '') ? b : a,
      );
      if (newest.first === undefined) break;
      entries.push(newest.first);
      newest.take();
    }
    return entries;
  }
}
