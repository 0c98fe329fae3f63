import type { Assignment, BegunAttempt, CancelCause, TypeCredit } from '../../core/messages.ts';
import type { QueueRef } from '../../core/queue-ref.ts';
import type { Submission } from '../../core/submission/submission.ts';
import type { Delivery } from '../../ports/broker.ts';
import { type Claimant, claimDeliveries } from '../claim/claim-deliveries.ts';
import { OnlyTask } from '../claim/only-task.ts';
import { readAheadOf } from '../claim/read-ahead.ts';
import { withinTypeRoom } from '../claim/within-room.ts';
import type { ServiceContext } from '../context.ts';
import { KeptTasks } from '../reserved/kept-tasks.ts';
import { passOnReserved } from '../reserved/pass-on-reserved.ts';
import { ReservedTasks } from '../reserved/reserved-tasks.ts';
import type { Session, SessionSink, WorkerHello, WorkerView } from '../service.ts';
import type { HeldLease } from '../settle/held-leases.ts';
import { releaseUnacknowledged } from '../settle/settle.ts';
import { recordBegun } from './begun.ts';
import { ReceiveLoop } from './receive-loop.ts';
import {
  type ClaimedCredits,
  type HelloCredits,
  knownSpecBytesOf,
  SessionCredits,
} from './session-credits.ts';
import { SessionRoom } from './session-room.ts';
import type { FreeRoom, LiveSession, ReservedTask } from './sessions.ts';
import { UnacknowledgedAssignments } from './unacknowledged.ts';

/**
 * One worker's stream on this node: takes credits from the worker and gives assignments to it.
 */
export class WorkerSession implements Session, LiveSession {
  readonly id: string;
  readonly #context: ServiceContext;
  readonly #hello: WorkerHello;
  readonly #sink: SessionSink;
  readonly #claimant: Claimant;
  readonly #connectedAtMs: number;
  readonly #unacknowledged = new UnacknowledgedAssignments();
  readonly reserved: ReservedTasks;
  readonly #kept: KeptTasks;
  readonly #unsubscribe: () => void;
  readonly #credits: SessionCredits;
  readonly #room: SessionRoom;
  readonly #loop: ReceiveLoop;
  /** Undefined if the worker keeps a task that must run alone until nothing else runs in it. */
  readonly #only: OnlyTask | undefined;
  #seq = 0;
  #hellos = 1;
  #isClosed = false;
  #isDraining = false;

  constructor(context: ServiceContext, hello: WorkerHello, sink: SessionSink) {
    this.id = context.clock.uuid();
    this.#context = context;
    this.#hello = hello;
    this.#sink = sink;
    const credits = new SessionCredits(hello);
    this.#credits = credits;
    this.#only =
      hello.runsAlone === true ? undefined : new OnlyTask(context, this, () => this.#loop.wakeUp());
    const unacknowledged = this.#unacknowledged;
    this.#room = new SessionRoom({ context, credits, sink, unacknowledged, only: this.#only });
    const readAhead = hello.reportsBegun ? undefined : readAheadOf(context);
    this.#claimant = {
      worker: `${hello.workerName}/${hello.workerId}`,
      types: hello.types,
      begins: !hello.reportsBegun,
      runsAlone: hello.runsAlone === true,
      only: this.#only,
      sessionId: this.id,
      readAhead,
    };
    this.#loop = new ReceiveLoop({
      ...{ context, hello, sink, session: this, credits, room: this.#room, readAhead },
      take: (deliveries) => this.#claimInBackground(deliveries),
    });
    this.reserved = new ReservedTasks(context);
    this.#kept = new KeptTasks(context, this);
    this.#connectedAtMs = context.clock.now();
    this.#unsubscribe = context.queues.onChange((refs) => {
      if (!refs.some(({ tenant, queue }) => tenant === hello.tenant && hello.queues.includes(queue))) return;
      this.#loop.interrupt();
      this.#recallPaused();
    });
  }

  /** Gives tasks to the worker until its stream is closed. */
  run(): Promise<void> {
    return this.#loop.run();
  }

  credit(tasks: number, bytes: number, types: readonly TypeCredit[]): void {
    this.#unacknowledged.recordMessage(this.#context.clock.monotonic());
    this.creditSettled(tasks, bytes, types);
  }

  creditSettled(tasks: number, bytes: number, types: readonly TypeCredit[]): void {
    this.#credits.add(tasks, bytes, types);
    this.#loop.wakeUp();
  }

  reset(hello: HelloCredits): void {
    this.#unacknowledged.recordMessage(this.#context.clock.monotonic());
    this.#hellos++;
    this.#credits.reset(hello, this.#unacknowledged);
    this.#loop.wakeUp();
  }

  received(seq: number, tasks?: number): void {
    this.#unacknowledged.recordMessage(this.#context.clock.monotonic());
    this.#unacknowledged.acknowledge(seq, tasks);
    this.#loop.wakeUp();
  }

  begun(places: readonly number[], attempts: readonly BegunAttempt[]): void {
    this.reserved.begin(places);
    if (attempts.length > 0) {
      this.#kept.begun(attempts);
      recordBegun(this.#context, this, attempts);
    }
    this.keepAlive();
  }

  kept(leases: readonly Uint8Array[]): void {
    this.#kept.name(leases);
    this.keepAlive();
  }

  keepAlive(): void {
    this.#unacknowledged.recordMessage(this.#context.clock.monotonic());
    this.#loop.wakeUp();
  }

  leaseLost(): void {
    this.#unacknowledged.leaseLost();
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#unsubscribe();
    this.#loop.end();
    this.#context.sessions.remove(this.id);
    this.#giveBack();
  }

  drain(): void {
    if (this.#isDraining || this.#isClosed) return;
    this.#isDraining = true;
    this.#loop.stop();
    this.#sink.drain();
  }

  cancelAttempt(id: string, fencingToken: number, cause: CancelCause): void {
    if (!this.#isClosed) this.#sink.cancel(id, fencingToken, cause);
  }

  get interest(): WorkerHello {
    return this.#hello;
  }

  get tenant(): string {
    return this.#hello.tenant;
  }

  get worker(): string {
    return this.#claimant.worker;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  get begins(): boolean {
    return this.#claimant.begins;
  }

  get runsAlone(): boolean {
    return this.#claimant.runsAlone;
  }

  get limitsTypes(): boolean {
    return this.#credits.limitsTypes;
  }

  get hellos(): number {
    return this.#hellos;
  }

  get hasUnacknowledged(): boolean {
    return !this.#unacknowledged.isEmpty;
  }

  waitsFor(queue: QueueRef, submission: Submission): boolean {
    return this.#loop.waiting?.waitsFor(queue, submission) === true;
  }

  freeRoom(): FreeRoom | undefined {
    return this.reserved.isEmpty ? this.#loop.waiting?.freeRoom() : undefined;
  }

  giveUp(leases: readonly HeldLease[]): void {
    this.#room.giveUp(() => this.#loop.wakeUp());
    for (const { snapshot } of leases)
      this.cancelAttempt(snapshot.id, snapshot.head.fencingToken, 'rebalance');
  }

  reserve(submission: Submission): void {
    this.#only?.claiming(1);
    this.#credits.reserve(submission);
    this.#sink.taking?.(submission.spec.length);
  }

  deliverReserved(reserved: readonly ReservedTask[]): void {
    const tasks = reserved.flatMap(({ assignment }) => assignment ?? []);
    for (const one of reserved) {
      this.#credits.reservedEnds(one);
      this.#sink.taking?.(-one.submission.spec.length);
    }
    this.#only?.claiming(-reserved.length);
    if (tasks.length < reserved.length) this.#loop.wakeUp();
    if (tasks.length > 0) this.#deliver(tasks);
  }

  roomFreed(): void {
    this.#loop.wakeUp();
  }

  hasRoomFor(type: string): boolean {
    return !this.#isClosed && !this.#isDraining && this.#room.isOpen && this.#credits.admits(type);
  }

  view(inFlight: number): WorkerView {
    const { tenant, workerName, workerId, queues, types } = this.#hello;
    const isOpen = !this.#isClosed && !this.#isDraining && this.#room.isOpen;
    const fullTypes = types.filter(({ type }) => !this.#credits.admits(type));
    return {
      tenant,
      name: workerName,
      id: workerId,
      queues,
      types: types.map((handled) => handled.type),
      maxVersions: types.map((handled) => handled.maxVersion),
      inFlight,
      reserved: this.reserved.list().length,
      connectedAtMs: this.#connectedAtMs,
      node: this.#context.node,
      unlistedCount: 0,
      polls: false,
      room: {
        freeTasks: isOpen ? Math.max(0, this.#credits.tasks) : 0,
        fullTypes: fullTypes.map(({ type }) => type),
      },
    };
  }

  /**
   * Gives back what the closed stream had assigned and the worker has not begun. A worker that begins at once has begun all
   * that it received, except a task that must run alone, if it keeps such tasks until nothing else runs.
   */
  #giveBack(): void {
    const unacknowledged = this.#unacknowledged.takeAll().flat();
    if (this.begins) {
      const mayRunAgain = unacknowledged.filter(
        (task) => task.maxAttempts > 1 && !(task.alone && this.runsAlone),
      );
      if (mayRunAgain.length > 0) this.#release(mayRunAgain);
    }
    const ids = new Set(unacknowledged.map(({ id }) => id));
    passOnReserved(this.#context, this, { isDrained: this.#isDraining, unacknowledged: ids });
  }

  /** Asks the worker to give back the tasks of paused queues that it has not begun. */
  #recallPaused(): void {
    for (const queue of this.#hello.queues) {
      const ref = { tenant: this.#hello.tenant, queue };
      if (!this.#context.queues.of(ref).paused) continue;
      for (const { snapshot } of this.reserved.list(ref))
        this.cancelAttempt(snapshot.id, snapshot.head.fencingToken, 'paused');
    }
  }

  #claimInBackground(received: readonly Delivery[]): void {
    const deliveries = withinTypeRoom(this.#context, received, this.#credits.roomOfType);
    const credits = this.#credits.of(deliveries);
    const takenBytes = deliveries === received ? credits.bytes : knownSpecBytesOf(received);
    if (credits.bytes < takenBytes) this.#sink.taking?.(credits.bytes - takenBytes);
    if (deliveries.length === 0) return;
    this.#credits.claimBegins(credits);
    this.#context.background('assign', this.#assign(deliveries, credits));
  }

  async #assign(deliveries: readonly Delivery[], claimed: ClaimedCredits): Promise<void> {
    let assigned: Assignment[] = [];
    try {
      assigned = await claimDeliveries(this.#context, deliveries, this.#claimant);
    } finally {
      this.#sink.taking?.(-claimed.bytes);
      const left = this.#credits.leftOf(claimed, deliveries, assigned);
      this.#credits.claimEnds(claimed, left);
      if (left.tasks > 0 || left.bytes !== 0) this.#loop.wakeUp();
    }
    if (assigned.length > 0) this.#deliver(assigned);
  }

  #deliver(tasks: readonly Assignment[]): void {
    if (this.#isClosed) {
      this.#release(tasks);
      return;
    }
    this.#seq++;
    this.#unacknowledged.add(this.#seq, tasks, this.#context.clock.monotonic());
    for (const task of tasks) this.reserved.add(task);
    this.#sink.assign(this.#seq, tasks);
    if (this.begins && !tasks.some(({ alone }) => alone)) return;
    this.#context.rebalance.begin();
    // A queue may have been paused while its tasks were claimed, before the worker could be asked to give them back.
    this.#recallPaused();
  }

  #release(tasks: readonly Assignment[]): void {
    this.#context.background('release', releaseUnacknowledged(this.#context, tasks));
  }
}

export function openSession(context: ServiceContext, hello: WorkerHello, sink: SessionSink): Session {
  const session = new WorkerSession(context, hello, sink);
  // A stream whose connection is dead may stay open here for a minute, with credits.
  context.sessions.ofWorker(session)?.leaseLost();
  context.sessions.add(session);
  context.runSession(session.run());
  return session;
}
