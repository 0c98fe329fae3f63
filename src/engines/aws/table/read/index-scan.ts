import type { Filter, TaskId } from '../../../../ports/task-store.ts';
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

/** A task as an index shows it, newest first. */
export interface Entry {
  readonly id: TaskId;
  /** Where it stands in the order: time of acceptance, then id. */
  readonly sort: string;
  /** Undefined where the index does not project it. */
  readonly type: string | undefined;
  readonly tags: readonly string[] | undefined;
  readonly item: Item;
}

interface Source {
  readonly index: 'list' | 'exceptions';
  readonly partition: string;
}

/** Found by key among however many others; every other state is looked for in the list. */
const exceptions: ReadonlySet<Filter['state']> = new Set(['dead', 'cancelled', 'retrying']);

async function sourcesOf(context: AwsContext, filter: Filter): Promise<Source[]> {
  const { state } = filter;
  if (state !== undefined && exceptions.has(state)) {
    return [{ index: 'exceptions', partition: exceptionsPartition(filter, state) }];
  }
  const { list } = await context.shards.toRead();
  return Array.from({ length: list }, (_, shard) => ({
    index: 'list',
    partition: listPartition(filter, shard),
  }));
}

const afterAll = '~';
/** Of entries so many are read for the least price. */
const cheapItems = 16;

/** One partition of an index, from the newest on, a page at a time. */
class Stream {
  readonly #context: AwsContext;
  readonly #source: Source;
  readonly #least: string;
  readonly #most: string;
  readonly #pageItems: number;
  #page: Entry[] = [];
  #next: Item | undefined;
  #begun = false;

  constructor(
    context: AwsContext,
    source: Source,
    filter: Filter,
    after: string | undefined,
    pageItems: number,
  ) {
    this.#context = context;
    this.#source = source;
    this.#least = timeKey(filter.acceptedFromMs ?? 0);
    const until = filter.acceptedUntilMs === undefined ? afterAll : timeKey(filter.acceptedUntilMs);
    this.#most = after !== undefined && after < until ? after : until;
    this.#pageItems = pageItems;
  }

  get first(): Entry | undefined {
    return this.#page[0];
  }

  take(): void {
    this.#page.shift();
  }

  /** Sees to it that `first` is the next one, if there is one. */
  async fill(): Promise<void> {
    while (this.#page.length === 0 && !(this.#begun && this.#next === undefined)) {
      const page = await this.#query();
      this.#begun = true;
      this.#next = page.next;
      // The bound is where a page ended, or a time that nothing has: it is not part of what follows.
      this.#page = page.items.map((item) => this.#entry(item)).filter((entry) => entry.sort < this.#most);
    }
  }

  #query(): ReturnType<AwsContext['calls']['query']> {
    const [partition, sort] = keyNames[this.#source.index];
    const empty = this.#least > this.#most;
    if (empty) return Promise.resolve({ items: [], next: undefined });
    return this.#context.calls.query('list', {
      IndexName: this.#source.index,
      KeyConditionExpression: `${partition} = :partition AND ${sort} BETWEEN :least AND :most`,
      ExpressionAttributeValues: {
        ':partition': s(this.#source.partition),
        ':least': s(this.#least),
        ':most': s(this.#most),
      },
      ScanIndexForward: false,
      Limit: this.#pageItems,
      ExclusiveStartKey: this.#next,
    });
  }

  #entry(item: Item): Entry {
    const sort = item[keyNames[this.#source.index][1]]?.S ?? '';
    const isList = this.#source.index === 'list';
    const tags = isList ? (item.tg?.SS ?? []) : undefined;
    return { id: idFromListSort(sort), sort, type: isList ? item.ty?.S : undefined, tags, item };
  }
}

/** The partitions of an index as one list, newest first. */
export class Entries {
  readonly #streams: Stream[];

  private constructor(streams: Stream[]) {
    this.#streams = streams;
  }

  /**
   * `after`: where a page ended, also one that knew of fewer shards: what new ones hold was accepted since.
   * `pageItems`: as many as may be needed of one partition, where there are no more than a new table has.
   */
  static async from(
    context: AwsContext,
    filter: Filter,
    after: string | undefined,
    pageItems: number,
  ): Promise<Entries> {
    const sources = await sourcesOf(context, filter);
    // Of more partitions each has fewer that are wanted; a few cost no more than one.
    const share = Math.max(cheapItems, Math.ceil((pageItems * defaultShards.list) / sources.length));
    const each = Math.min(pageItems, share);
    return new Entries(sources.map((source) => new Stream(context, source, filter, after, each)));
  }

  /** The next entries, at most so many; fewer only at the end. */
  async next(most: number): Promise<Entry[]> {
    const entries: Entry[] = [];
    while (entries.length < most) {
      await Promise.all(this.#streams.map((stream) => stream.fill()));
      const newest = this.#streams.reduce((a, b) => ((b.first?.sort ?? '') > (a.first?.sort ?? '') ? b : a));
      if (newest.first === undefined) break;
      entries.push(newest.first);
      newest.take();
    }
    return entries;
  }
}
