import { runsAlone } from '../../core/task/head.ts';
import type { Clock } from '../../ports/clock.ts';
import type { TaskId } from '../../ports/task-store.ts';
import { type FreeRoom, keyOfWorker, type LiveSession, type Sessions } from '../session/sessions.ts';
import type { HeldLease, HeldLeases } from '../settle/held-leases.ts';
import { AloneRecalls } from './recall-alone.ts';

/** How often the reserved tasks of busy workers are compared with the room of free ones, in ms. */
const roundMs = 250;
/** A task that waits in a worker for less than this time, in ms, is left to it: it is probably about to begin. */
const leastReservedMs = 100;
/** The time after a task's recall in which it is not recalled again, in ms. */
const recalledMs = 1_000;
/** If a worker is free again within this time, in ms, after tasks were recalled for it, twice as many are recalled. */
const freeAgainMs = 1_000;
/** How often in a row that number is doubled at most. */
const mostDoublings = 4;

/** When tasks were last recalled for a free session, in ms of the monotonic clock, and how often in a row. */
interface Streak {
  readonly atMs: number;
  readonly doublings: number;
}

/**
 * Recalls tasks that wait in a busy worker while another worker of this node waits for work. The busy worker releases
 * those that it has not begun, and the free one gets them. A worker with reserved tasks is not free, so two busy workers
 * never exchange tasks. The rounds go on only while a session of this node has reserved tasks.
 */
export class Rebalance {
  readonly #clock: Clock;
  readonly #sessions: Sessions;
  /** When tasks were recalled, in ms of the monotonic clock. */
  readonly #recalledAtMs = new Map<TaskId, number>();
  readonly #streaks = new WeakMap<LiveSession, Streak>();
  readonly #alone: AloneRecalls;
  #isScheduled = false;

  constructor(clock: Clock, sessions: Sessions, heldLeases: HeldLeases) {
    this.#clock = clock;
    this.#sessions = sessions;
    this.#alone = new AloneRecalls({ clock, sessions, heldLeases });
  }

  /** Begins the rounds. Called whenever a session has given tasks to a worker that may keep them in a buffer. */
  begin(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.#clock.after(roundMs, () => {
      this.#isScheduled = false;
      if (this.#round()) this.begin();
    });
  }

  /** Returns false if no session has reserved tasks. */
  #round(): boolean {
    const busy = [...this.#sessions.all()].filter(({ reserved }) => !reserved.isEmpty);
    if (busy.length === 0) return false;
    // The tasks of a drained stream are still kept by its worker, which has another stream already.
    const busyWorkers = new Set(busy.map(keyOfWorker));
    for (const session of [...this.#sessions.waiting]) {
      const room = busyWorkers.has(keyOfWorker(session)) ? undefined : session.freeRoom();
      if (room === undefined) continue;
      const doublings = this.#doublingsOf(session);
      if (this.#fill(session, room, busy, doublings))
        this.#streaks.set(session, { atMs: this.#clock.monotonic(), doublings });
    }
    return true;
  }

  /** Returns how often the room of a free session is doubled: once more each time that it is soon free again. */
  #doublingsOf(session: LiveSession): number {
    const streak = this.#streaks.get(session);
    if (streak === undefined || this.#clock.monotonic() > streak.atMs + freeAgainMs) return 0;
    return Math.min(mostDoublings, streak.doublings + 1);
  }

  /**
   * Recalls as many tasks as the free session has room for, from each busy one at most half of its reserved tasks. A
   * session that is soon free again begins tasks fast: more are recalled for it, since each recall takes a round.
   * Returns true if any task was recalled.
   */
  #fill(free: LiveSession, room: FreeRoom, busy: readonly LiveSession[], doublings: number): boolean {
    let tasks = room.tasks * 2 ** doublings;
    let bytes = room.bytes * 2 ** doublings;
    let isAny = false;
    const ofType = new Map<string, number>();
    for (const session of busy) {
      const reserved = this.#recallable(session);
      const most = Math.min(tasks, doublings === 0 ? Math.ceil(reserved.length / 2) : reserved.length);
      const recalled: HeldLease[] = [];
      for (const lease of reserved.toReversed()) {
        const { submission, head } = lease.snapshot;
        const used = ofType.get(submission.type) ?? 0;
        if (recalled.length >= most) break;
        if (submission.spec.length > bytes || used >= room.of(submission)) continue;
        if (runsAlone(head) && !this.#alone.mayRecall(lease, free)) continue;
        ofType.set(submission.type, used + 1);
        bytes -= submission.spec.length;
        recalled.push(lease);
      }
      tasks -= recalled.length;
      isAny ||= recalled.length > 0;
      this.#recall(session, recalled);
    }
    return isAny;
  }

  #recallable({ reserved }: LiveSession): readonly HeldLease[] {
    const untilMs = this.#clock.monotonic() - recalledMs;
    for (const [id, atMs] of this.#recalledAtMs) {
      if (atMs > untilMs) break;
      this.#recalledAtMs.delete(id);
    }
    return reserved.olderThan(leastReservedMs).filter(({ snapshot }) => !this.#recalledAtMs.has(snapshot.id));
  }

  #recall(session: LiveSession, leases: readonly HeldLease[]): void {
    if (leases.length === 0) return;
    for (const lease of leases) {
      this.#recalledAtMs.set(lease.snapshot.id, this.#clock.monotonic());
      if (runsAlone(lease.snapshot.head)) this.#alone.recalled(lease);
    }
    session.giveUp(leases);
  }
}
