import type { Clock } from '../../ports/clock.ts';
import type { TaskId } from '../../ports/task-store.ts';
import type { HeldLease } from '../settle/held-leases.ts';
import type { FreeRoom, LiveSession, Sessions } from './sessions.ts';

/** How often the reserved tasks of busy workers are compared with the room of free ones, in ms. */
const roundMs = 250;
/** A task that waits in a worker for less than this time, in ms, is left to it: it is probably about to begin. */
const leastReservedMs = 100;
/** The time after a task's recall in which it is not recalled again, in ms. */
const recalledMs = 1_000;

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
  #isScheduled = false;

  constructor(clock: Clock, sessions: Sessions) {
    this.#clock = clock;
    this.#sessions = sessions;
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
    const busyWorkers = new Set(busy.map(({ worker }) => worker));
    for (const session of [...this.#sessions.waiting]) {
      const room = busyWorkers.has(session.worker) ? undefined : session.freeRoom();
      if (room !== undefined) this.#fill(room, busy);
    }
    return true;
  }

  /** Recalls as many tasks as the free session has room for, from each busy one at most half of its reserved tasks. */
  #fill(room: FreeRoom, busy: readonly LiveSession[]): void {
    let { tasks, bytes } = room;
    const ofType = new Map<string, number>();
    for (const session of busy) {
      const reserved = this.#recallable(session);
      const most = Math.min(tasks, Math.ceil(reserved.length / 2));
      const recalled: HeldLease[] = [];
      for (const lease of reserved.toReversed()) {
        const { submission } = lease.snapshot;
        const used = ofType.get(submission.type) ?? 0;
        if (recalled.length >= most) break;
        if (submission.spec.length > bytes || used >= room.of(submission)) continue;
        ofType.set(submission.type, used + 1);
        bytes -= submission.spec.length;
        recalled.push(lease);
      }
      tasks -= recalled.length;
      this.#recall(session, recalled);
    }
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
    for (const { snapshot } of leases) this.#recalledAtMs.set(snapshot.id, this.#clock.monotonic());
    session.giveUp(leases);
  }
}
