import { leaseSpentAtMs } from '../../../core/task/decision.ts';
import { isReady } from '../../../core/task/head.ts';
import type { Bell, Ring, Want } from '../../../ports/broker.ts';
import type { Clock } from '../../../ports/clock.ts';
import type { QueueRef, TaskId } from '../../../ports/task-store.ts';
import type { Faults } from '../faults.ts';
import { isExpired, type Row, snapshotOf } from '../rows.ts';
import type { Tables } from '../tables.ts';
import type { BellKind } from './broker.ts';
import { Belfry, isWanted, receivedMs } from './priority-queues.ts';

/** The bell of a task: there because of its head, beside it only what its receivers did. */
interface Hung {
  readonly row: Row;
  readonly sinceMs: number;
  running: boolean;
  visibleAtMs: number;
  receives: number;
  handle: string;
}

function ringOf(row: Row): Ring {
  const { scope, options, type, typeVersion } = row.submission;
  const queue = { tenant: scope.tenant, queue: scope.queue };
  const { version } = row.head;
  return { id: row.id, queue, priority: options.priority, type, typeVersion, version, reason: 'submit' };
}

/**
 * As in the embedded store: a bell exists if and only if its task is running (hidden until the lease is spent), or is
 * ready and the lowest of its lane. It comes and goes in the commit that makes it so; to ring adds nothing.
 */
export class BellsInCommit implements BellKind {
  readonly belfry = new Belfry<Hung>();
  readonly #hung = new Map<TaskId, Hung>();
  readonly #tables: Tables;
  readonly #clock: Clock;
  readonly #faults: Faults;
  #handles = 0;

  constructor(tables: Tables, clock: Clock, faults: Faults) {
    this.#tables = tables;
    this.#clock = clock;
    this.#faults = faults;
    tables.observe((row) => this.#follow(row));
  }

  ring(): true {
    return true;
  }

  take(queues: readonly QueueRef[], want: Want): Bell[] {
    const nowMs = this.#clock.now();
    const room = want.room();
    let { bytes } = room;
    return this.belfry.take(queues, nowMs, (hung, soFar) => {
      const { submission } = hung.row;
      if (soFar.length >= room.tasks || bytes <= 0) return 'full';
      if (!isWanted(want, submission.type, submission.typeVersion) || isExpired(hung.row, nowMs))
        return 'skip';
      if (submission.spec.length > bytes && soFar.length > 0) return 'full';
      bytes -= submission.spec.length;
      return this.#receive(hung, nowMs);
    });
  }

  hide(handle: string, ms: number): boolean {
    const hung = this.#heldBy(handle);
    if (hung === undefined) return false;
    this.belfry.line(ringOf(hung.row)).hide(hung, this.#clock.now() + ms);
    this.belfry.wake(ringOf(hung.row).queue);
    return true;
  }

  /** A bell whose task may be worked on stays: it can be heard again, as if rung anew. */
  silence(handle: string): boolean {
    const id = handle.slice(handle.indexOf('/') + 1);
    if (!this.#hung.has(id)) return true;
    const hung = this.#heldBy(handle);
    if (hung === undefined) return false;
    if (!hung.running) {
      this.#drop(hung);
      this.#hang(hung.row);
    }
    return true;
  }

  hangs(id: TaskId): boolean {
    return this.#hung.has(id);
  }

  spent(nowMs: number, spentForMs: number, limit: number): Bell[] {
    const bells: Bell[] = [];
    for (const { row, running, visibleAtMs, receives, sinceMs } of this.#hung.values()) {
      if (bells.length === limit) break;
      const isSpent = running && visibleAtMs <= nowMs && leaseSpentAtMs(row.head) + spentForMs <= nowMs;
      // Looked at, not received: a worker with a free slot may still come for it.
      if (isSpent)
        bells.push({ ring: ringOf(row), handle: '', receives, sentAtMs: sinceMs, hint: snapshotOf(row) });
    }
    return bells;
  }

  #heldBy(handle: string): Hung | undefined {
    const hung = this.#hung.get(handle.slice(handle.indexOf('/') + 1));
    if (hung === undefined) return undefined;
    const current = hung.handle === handle && hung.visibleAtMs > this.#clock.now();
    return (this.#faults.handle?.(current) ?? current) ? hung : undefined;
  }

  #receive(hung: Hung, nowMs: number): Bell {
    const { row } = hung;
    hung.handle = `${++this.#handles}/${row.id}`;
    hung.receives++;
    const ring = ringOf(row);
    this.belfry.line(ring).hide(hung, nowMs + receivedMs);
    const { handle, receives, sinceMs } = hung;
    return { ring, handle, receives, sentAtMs: sinceMs, hint: snapshotOf(row) };
  }

  #follow(row: Row): void {
    const hung = this.#hung.get(row.id);
    const running = row.head.state === 'running';
    const hangs =
      this.#tables.rows.get(row.id) === row && (running || (isReady(row.head) && this.#tables.isLowest(row)));
    if (!hangs) {
      if (hung !== undefined) this.#drop(hung);
    } else if (hung === undefined) {
      this.#hang(row);
    } else if (running) {
      // The claim keeps its receiver's handle; the lease's end moves the bell on.
      hung.running = true;
      this.belfry.line(ringOf(row)).hide(hung, leaseSpentAtMs(row.head));
      this.belfry.wake(ringOf(row).queue);
    } else if (hung.running) {
      this.#drop(hung);
      this.#hang(row);
    }
  }

  #hang(row: Row): void {
    const nowMs = this.#clock.now();
    const running = row.head.state === 'running';
    const visibleAtMs = running ? leaseSpentAtMs(row.head) : nowMs;
    const hung: Hung = { row, sinceMs: nowMs, running, visibleAtMs, receives: 0, handle: '' };
    this.#hung.set(row.id, hung);
    const ring = ringOf(row);
    this.belfry.line(ring).add(hung, nowMs);
    this.belfry.wake(ring.queue);
  }

  #drop(hung: Hung): void {
    this.#hung.delete(hung.row.id);
    this.belfry.line(ringOf(hung.row)).remove(hung);
  }
}
