import { asHoldfastError, type HoldfastError } from '../../../core/errors.ts';
import { timing } from '../../../core/limits.ts';
import { type Priority, priorities } from '../../../core/submission/submission.ts';
import type { Bell, Bells, HandledType, Ring, RingReason, Want } from '../../../ports/broker.ts';
import type { QueueRef, Snapshot } from '../../../ports/task-store.ts';
import type { SqliteContext } from '../context.ts';
import type { Committer } from '../group-commit.ts';
import { placeAt, ringOne } from '../lanes.ts';
import { placeOf } from '../rows/ids.ts';
import type { Kind } from '../rows/interned-names.ts';
import type { Asked, Given } from './ready-index.ts';
import type { Entry } from './ready-list.ts';
import { Waiters } from './waiters.ts';

/** Spent leases are looked for at least this often while somebody asks. */
const spentLookMs = 250;
const spentRows = 1_000;
const fromLowestEvery = 16;

function handleOf(entry: Entry): string {
  return `${entry.seq.toString(36)}.${entry.receipt.toString(36)}`;
}

function receiptOf(handle: string): { seq: number; receipt: number } {
  const dot = handle.indexOf('.');
  return {
    seq: Number.parseInt(handle.slice(0, dot), 36),
    receipt: Number.parseInt(handle.slice(dot + 1), 36),
  };
}

function reasonOf(snapshot: Snapshot): RingReason {
  return snapshot.head.version === 1 ? 'submit' : 'again';
}

function wantedBy(types: readonly HandledType[]): (kind: Kind) => boolean {
  const most = new Map<string, number>();
  for (const { type, maxVersion } of types) most.set(type, Math.max(maxVersion, most.get(type) ?? 0));
  return (kind) => (most.get(kind.type) ?? -1) >= kind.version;
}

/** The bells are the file's ready index and its running tasks' lease ends; who holds one is known in memory only. */
export class SqliteBells implements Bells {
  readonly #context: SqliteContext;
  readonly #committer: Committer;
  readonly #waiters: Waiters;
  #receives = 0;
  #lookedAtMs = Number.NEGATIVE_INFINITY;
  /** When the next lease is spent, of those that ran at the last look. */
  #nextSpentMs = 0;
  #cancelTimer: (() => void) | undefined;

  constructor(context: SqliteContext, committer: Committer) {
    this.#context = context;
    this.#committer = committer;
    this.#waiters = new Waiters(context.clock);
  }

  waits(want: Want): boolean {
    return this.#waiters.has(want);
  }

  ring(rings: readonly Ring[]): Promise<readonly (true | HoldfastError)[]> {
    return Promise.all(rings.map((ring) => this.#ring(ring)));
  }

  async receive(queues: readonly QueueRef[], want: Want): Promise<readonly Bell[]> {
    this.#check();
    if (want.signal.aborted) return [];
    const { names, clock } = this.#context;
    const asked: Asked = {
      queues: queues.map(({ tenant, queue }) => names.queue(tenant, queue)),
      wanted: wantedBy(want.types),
    };
    const bells = this.#committer.reading(() => {
      this.#look(clock.now());
      return this.#answer(asked, want);
    });
    if (bells.length > 0 || want.waitMs <= 0) return bells;
    const waiting = this.#waiters.wait(asked, want);
    this.#arm();
    return waiting;
  }

  async hide(
    bells: readonly { readonly handle: string; readonly ms: number }[],
  ): Promise<readonly boolean[]> {
    const { ring, clock } = this.#context;
    const nowMs = clock.now();
    const hidden = bells.map(({ handle, ms }) => {
      const { seq, receipt } = receiptOf(handle);
      const entry = ring.holder(seq, receipt, nowMs);
      if (entry !== undefined) ring.hide(entry, ms, nowMs);
      return entry !== undefined;
    });
    this.serve();
    return hidden;
  }

  async silence(handles: readonly string[]): Promise<readonly boolean[]> {
    const { ring, clock } = this.#context;
    const nowMs = clock.now();
    const silenced = handles.map((handle) => {
      const { seq, receipt } = receiptOf(handle);
      const entry = ring.holder(seq, receipt, nowMs);
      if (entry !== undefined) ring.silence(entry, nowMs);
      // There is no bell where nobody knows of one.
      return entry !== undefined || ring.entry(seq) === undefined;
    });
    this.serve();
    return silenced;
  }

  async spent(nowMs: number, spentForMs: number, limit: number): Promise<readonly Bell[]> {
    return this.#committer.reading(() => {
      const rows = this.#spentRows(nowMs - spentForMs, limit + spentRows);
      return this.#context.ring.unheld(rows, limit).map((given) => ({ ...this.#bell(given), handle: '' }));
    });
  }

  /** Gives what became audible to those who wait for it; called after each commit. */
  serve(): void {
    const { touched } = this.#context.ring;
    if (touched.size === 0) return;
    const queues = [...touched];
    touched.clear();
    if (this.#waiters.count === 0) return;
    this.#unasked(() => {
      for (const queue of queues) {
        for (const waiter of [...this.#waiters.of(queue)]) {
          const bells = this.#answer(waiter.asked, waiter.want);
          if (bells.length > 0) waiter.end(bells);
        }
      }
    });
    this.#arm();
  }

  close(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#waiters.endAll();
  }

  /** Reads that no caller waits for. A store that they end has told of it, and ended whoever waited. */
  #unasked(read: () => void): void {
    try {
      this.#committer.reading(read);
    } catch (thrown) {
      if (this.#committer.dead === undefined) throw thrown;
    }
  }

  #check(): void {
    if (this.#committer.dead !== undefined) throw this.#committer.dead;
  }

  async #ring(ring: Ring): Promise<true | HoldfastError> {
    const place = placeOf(ring.id);
    if (place === undefined) return true;
    try {
      await this.#committer.write(() => {
        if (placeAt(this.#context, place.seq)?.[0] === place.acceptedAtMs) ringOne(this.#context, place.seq);
      });
      return true;
    } catch (thrown) {
      return asHoldfastError(thrown);
    }
  }

  #answer(asked: Asked, want: Want): Bell[] {
    const { ring, clock } = this.#context;
    const fromLowest = this.#receives % fromLowestEvery === fromLowestEvery - 1;
    const given = ring.take(asked, want.room(), clock.now(), fromLowest);
    if (given.length > 0) this.#receives++;
    return given.map((one) => this.#bell(one));
  }

  #bell({ entry, snapshot }: Given): Bell {
    const { queue, priority, kind } = entry.shelf;
    return {
      ring: {
        id: snapshot.id,
        queue: { tenant: queue.tenant, queue: queue.queue },
        priority: priorities[priority] as Priority,
        type: kind.type,
        typeVersion: kind.version,
        version: snapshot.head.version,
        reason: reasonOf(snapshot),
      },
      handle: handleOf(entry),
      receives: entry.receives,
      sentAtMs: entry.sentAtMs,
      hint: snapshot,
    };
  }

  /** What time alone makes audible: bells that were hidden until now, and spent leases. */
  #look(nowMs: number): void {
    const { ring, sql } = this.#context;
    ring.wake(nowMs);
    // A clock that jumped back must not silence the look until it has caught up.
    const sinceMs = nowMs < this.#lookedAtMs ? Number.POSITIVE_INFINITY : nowMs - this.#lookedAtMs;
    if (sinceMs === 0 || (sinceMs < spentLookMs && nowMs < this.#nextSpentMs)) return;
    this.#lookedAtMs = nowMs;
    ring.spent(this.#spentRows(nowMs, spentRows));
    const [leaseEndMs] = sql.nextSpent.get(nowMs - timing.clockGuardMs) as unknown as [number | null];
    this.#nextSpentMs = (leaseEndMs ?? Number.MAX_SAFE_INTEGER) + timing.clockGuardMs;
  }

  #spentRows(nowMs: number, limit: number) {
    const { sql, names } = this.#context;
    const rows = sql.spent.all(nowMs - timing.clockGuardMs, limit) as unknown as [
      number,
      number,
      number,
      number,
    ][];
    return rows.map(([seq, queue, kind, priority]) => ({
      seq,
      queue: names.queueOf(queue),
      kind: names.kindOf(kind),
      priority,
    }));
  }

  /** While somebody waits, time is watched for them. */
  #arm(): void {
    if (this.#cancelTimer !== undefined || this.#waiters.count === 0) return;
    const { ring, clock } = this.#context;
    const nextMs = Math.min(ring.nextWakeMs() ?? Number.POSITIVE_INFINITY, this.#nextSpentMs) - clock.now();
    this.#cancelTimer = clock.after(Math.max(1, Math.min(spentLookMs, nextMs)), () => {
      this.#cancelTimer = undefined;
      this.#unasked(() => this.#look(clock.now()));
      if (this.#committer.dead !== undefined) return;
      for (const queue of this.#waiters.queues()) ring.touched.add(queue);
      this.serve();
      this.#arm();
    });
  }
}
