import { timing } from '../../../src/core/limits.ts';
import { isReady, runsAlone } from '../../../src/core/task/head.ts';
import type { TaskId } from '../../../src/ports/task-store.ts';
import type { Network } from '../network/network.ts';
import type { SimNode } from '../network/node.ts';
import { slowestMs } from '../network/ports.ts';
import type { World } from '../world.ts';
import type { WorkerSlots } from './observed-process.ts';
import type { ShadowTask } from './shadow-task.ts';
import { reportViolation } from './violation.ts';

/**
 * The longest time in ms for which a free slot and a task that it may run stand beside each other, if nothing fails. Servers
 * may be stopped and started meanwhile.
 */
const quietMs = 5_000;
/**
 * The same after faults, in ms: the message may be hidden until the end of a lease, no lease expires for some time after
 * the start of a server, and then a call may be slow.
 */
const afterFaultsMs = timing.leaseMs + timing.clockGuardMs + timing.leaseGraceMs + slowestMs;

/** Watches that no task waits beside a free slot of a worker that may run it. */
export class FreeSlotsWatch {
  readonly #world: World;
  readonly #nodes: readonly SimNode[];
  readonly #besideSinceMs = new Map<TaskId, number>();

  constructor({ world, nodes }: Network) {
    this.#world = world;
    this.#nodes = nodes;
  }

  check(): void {
    const world = this.#world;
    // Nothing can be given out while every server is away or stands still.
    if (!this.#nodes.some(({ serving }) => serving?.life.isBehind === false)) this.#besideSinceMs.clear();
    const busyAlone = this.#workersOfAloneTasks();
    const workers = [...world.workers].filter(
      (worker) => !worker.isStopping && !worker.process.isBehind && !busyAlone.has(worker.process.name),
    );
    for (const task of world.shadow.tasks.values()) {
      if (!this.#isRunnable(task) || !workers.some((worker) => this.#hasSlot(worker, task)))
        this.#besideSinceMs.delete(task.id);
      else this.#checkWait(task);
    }
  }

  #checkWait({ id, submission, wasRedriven }: ShadowTask): void {
    const { elapsedMs, quietFromMs, lastFaultMs, rules } = this.#world;
    const sinceMs = this.#besideSinceMs.get(id) ?? elapsedMs;
    this.#besideSinceMs.set(id, sinceMs);
    const waitedMs = elapsedMs - Math.max(sinceMs, lastFaultMs);
    // A message from before the death of a scheduled task is hidden for up to a minute and holds back the new message.
    const mostMs = sinceMs > quietFromMs && !wasRedriven ? quietMs : afterFaultsMs;
    if (waitedMs > mostMs)
      reportViolation(rules, 'freeSlotsRunReadyTasks', `${id} (${submission.type}) waits for ${waitedMs} ms`);
  }

  #isRunnable(task: ShadowTask): boolean {
    // The message of a submission that was never acknowledged may never have been sent: the reconciler finds the task.
    if (!task.acknowledged) return false;
    // A task that runs alone waits until a worker has nothing else to do.
    if (!isReady(task.head) || runsAlone(task.folded)) return false;
    if (this.#world.paused.has(task.submission.scope.queue)) return false;
    return this.#world.shadow.isLowest(task);
  }

  #hasSlot({ process, concurrency, limitOf }: WorkerSlots, { submission: { type } }: ShadowTask): boolean {
    const { ledger, shadow } = this.#world;
    const running = ledger.runningIn(process);
    if (running.size >= concurrency) return false;
    let ofType = 0;
    for (const { id } of running) if (shadow.tasks.get(id)?.submission.type === type) ofType++;
    return ofType < limitOf(type);
  }

  /** Returns the names of the workers that hold a task that runs alone: they begin nothing beside it. */
  #workersOfAloneTasks(): Set<string> {
    const names = new Set<string>();
    for (const { folded } of this.#world.shadow.tasks.values())
      if (folded.state === 'running' && runsAlone(folded)) names.add(folded.worker.split('/')[0] ?? '');
    return names;
  }
}
