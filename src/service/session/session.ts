import { HoldfastError } from '../../core/errors.ts';
import { limits } from '../../core/limits.ts';
import type { Assignment, CancelCause } from '../../core/messages.ts';
import type { Submission } from '../../core/submission/submission.ts';
import type { Delivery, Want } from '../../ports/broker.ts';
import type { QueueRef } from '../../ports/task-store.ts';
import { type Claimant, claimDeliveries } from '../claim/claim-deliveries.ts';
import type { ServiceContext } from '../context.ts';
import type { Session, SessionSink, WorkerHello, WorkerView } from '../service.ts';
import { releaseUnacknowledged } from '../settle/settle.ts';
import type { LiveSession } from './sessions.ts';
import { UnacknowledgedAssignments } from './unacknowledged.ts';

/** One receive waits so long before it is made anew; bells that come meanwhile end it at once. */
const receiveWaitMs = 20_000;
const failurePauseMs = 1_000;

/** One worker's stream: credits in, assignments out. One receive at a time, so that room is never given twice. */
export class WorkerSession implements Session, LiveSession {
  readonly id: string;
  readonly #context: ServiceContext;
  readonly #hello: WorkerHello;
  readonly #sink: SessionSink;
  readonly #claimant: Claimant;
  readonly #connectedAtMs: number;
  readonly #unacknowledged = new UnacknowledgedAssignments();
  readonly #stopListening: () => void;
  #tasks: number;
  #bytes: number;
  /** Of tasks that are being claimed for this stream and not handed to it yet. */
  #underWayBytes = 0;
  #seq = 0;
  #closed = false;
  #draining = false;
  #wake: (() => void) | undefined;
  #receiving = new AbortController();
  /** The receive was asked for its room and had none: what came then is not offered to it again. */
  #starved = false;
  /** The receive that is under way, and of which queues. */
  #asked: { readonly queues: readonly QueueRef[]; readonly want: Want } | undefined;

  constructor(context: ServiceContext, hello: WorkerHello, sink: SessionSink) {
    this.id = context.clock.uuid();
    this.#context = context;
    this.#hello = hello;
    this.#sink = sink;
    this.#tasks = Math.min(hello.tasks, limits.inFlightTasks);
    this.#bytes = hello.bytes;
    this.#claimant = {
      worker: `${hello.workerName}/${hello.workerId}`,
      types: hello.types,
      sessionId: this.id,
    };
    this.#connectedAtMs = context.clock.now();
    this.#stopListening = context.queues.onChange(() => this.#nudge());
  }

  /** Gives work until the stream is closed. Survives failures of the store: they pass, the loop goes on. */
  async run(): Promise<void> {
    const { clock, log } = this.#context;
    while (!this.#closed) {
      if (this.#draining || !this.#hasRoom()) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
        continue;
      }
      try {
        const queues = await this.#openQueues();
        if (queues.length > 0) this.#take(await this.#receive(queues));
        else await clock.sleep(failurePauseMs, this.#receiving.signal);
      } catch (err) {
        if (this.#namesUnknown(err)) this.#sink.refuse?.(err);
        log.warn({ err, worker: this.#claimant.worker }, 'could not look for work; trying again');
        if (!this.#closed) await clock.sleep(failurePauseMs);
      }
      if (this.#receiving.signal.aborted) this.#receiving = new AbortController();
    }
  }

  credit(tasks: number, bytes: number): void {
    this.#unacknowledged.said(this.#context.clock.monotonic());
    this.#giveBack(tasks, bytes);
  }

  reset(tasks: number, bytes: number): void {
    this.#unacknowledged.said(this.#context.clock.monotonic());
    this.#tasks = Math.min(tasks, limits.inFlightTasks);
    this.#bytes = bytes;
    this.#wakeUp();
  }

  received(seq: number): void {
    this.#unacknowledged.said(this.#context.clock.monotonic());
    this.#unacknowledged.arrived(seq);
    this.#wakeUp();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#stopListening();
    this.#nudge();
    for (const tasks of this.#unacknowledged.takeAll()) this.#release(tasks);
    this.#context.sessions.remove(this.id);
  }

  drain(): void {
    if (this.#draining || this.#closed) return;
    this.#draining = true;
    this.#nudge();
    this.#sink.drain();
  }

  cancelAttempt(id: string, fencingToken: number, cause: CancelCause): void {
    if (!this.#closed) this.#sink.cancel(id, fencingToken, cause);
  }

  get worker(): string {
    return this.#claimant.worker;
  }

  waitsFor({ tenant, queue }: QueueRef, { type, typeVersion, spec }: Submission): boolean {
    const asked = this.#asked;
    if (asked === undefined || this.#draining || this.#closed || this.#receiving.signal.aborted) return false;
    const { tasks, bytes } = this.#room();
    if (tasks <= 0 || spec.length > bytes) return false;
    if (!asked.queues.some((ref) => ref.queue === queue && ref.tenant === tenant)) return false;
    const handled = this.#hello.types.some((one) => one.type === type && one.maxVersion >= typeVersion);
    return handled && this.#context.broker.isIdle?.(asked.want) === true;
  }

  promise(bytes: number): void {
    this.#tasks--;
    this.#bytes -= bytes;
    this.#underWayBytes += bytes;
  }

  keep(promised: { readonly tasks: number; readonly bytes: number }, tasks: readonly Assignment[]): void {
    this.#underWayBytes -= promised.bytes;
    const used = tasks.reduce((sum, task) => sum + task.spec.length, 0);
    if (tasks.length < promised.tasks) this.#giveBack(promised.tasks - tasks.length, promised.bytes - used);
    if (tasks.length > 0) this.#deliver(tasks);
  }

  taken(): void {
    this.#wakeUp();
  }

  view(inFlight: number): WorkerView {
    const { tenant, workerName, workerId, queues, types } = this.#hello;
    return {
      tenant,
      name: workerName,
      id: workerId,
      queues,
      types: types.map((handled) => handled.type),
      maxVersions: types.map((handled) => handled.maxVersion),
      inFlight,
      connectedAtMs: this.#connectedAtMs,
      node: this.#context.node,
      othersAlike: 0,
    };
  }

  #hasRoom(): boolean {
    if (this.#tasks <= 0 || this.#roomBytes() <= 0) return false;
    return !this.#unacknowledged.isUnresponsive(this.#context.clock.monotonic());
  }

  #giveBack(tasks: number, bytes: number): void {
    this.#tasks = Math.min(this.#tasks + tasks, limits.inFlightTasks);
    this.#bytes += bytes;
    this.#wakeUp();
  }

  /** By its credit, and by what its stream takes: a fast reader must not be cut for what was written in one go. */
  #roomBytes(): number {
    const takes = this.#sink.roomBytes?.() ?? Number.POSITIVE_INFINITY;
    return Math.min(this.#bytes, takes - this.#underWayBytes);
  }

  #wakeUp(): void {
    if (!this.#hasRoom()) return;
    if (this.#starved) this.#receiving.abort();
    this.#starved = false;
    this.#wake?.();
    this.#wake = undefined;
  }

  /** Ends what the loop waits for, so that it looks at the world anew. */
  #nudge(): void {
    this.#receiving.abort();
    this.#wake?.();
    this.#wake = undefined;
  }

  /** A queue that is registered and not found elsewhere may be a moment young. */
  #namesUnknown(err: unknown): err is HoldfastError {
    const { tenant, queues } = this.#hello;
    const isSlip = queues.some((queue) => !this.#context.queues.has({ tenant, queue }));
    return isSlip && err instanceof HoldfastError && err.reason === 'QUEUE_UNKNOWN';
  }

  async #openQueues(): Promise<QueueRef[]> {
    const { tenant } = this.#hello;
    const open: QueueRef[] = [];
    for (const queue of this.#hello.queues) {
      const ref = { tenant, queue };
      if (!this.#context.queues.has(ref)) await this.#context.queues.ensure(ref);
      if (!this.#context.queues.of(ref).paused) open.push(ref);
    }
    return open;
  }

  async #receive(queues: readonly QueueRef[]): Promise<readonly Delivery[]> {
    const { broker, sessions } = this.#context;
    const want: Want = {
      types: this.#hello.types,
      room: () => this.#room(),
      waitMs: receiveWaitMs,
      signal: this.#receiving.signal,
    };
    this.#asked = { queues, want };
    sessions.waiting.add(this);
    try {
      return await broker.receive(queues, want);
    } finally {
      this.#asked = undefined;
      sessions.waiting.delete(this);
    }
  }

  /** At most one batch of the store at a time; the next receive follows at once. */
  #room(): { tasks: number; bytes: number } {
    if (this.#closed || this.#draining) return { tasks: 0, bytes: 0 };
    if (this.#hasRoom())
      return { tasks: Math.min(this.#tasks, limits.batchItems), bytes: Math.max(0, this.#roomBytes()) };
    this.#starved = true;
    return { tasks: 0, bytes: 0 };
  }

  #take(deliveries: readonly Delivery[]): void {
    if (deliveries.length === 0) return;
    // Size is known before the claim only where the engine gives a hint; a blind bell is paid for once it is read.
    const bytes = deliveries.reduce(
      (sum, delivery) => sum + (delivery.snapshot?.submission.spec.length ?? 0),
      0,
    );
    this.#tasks -= deliveries.length;
    this.#bytes -= bytes;
    this.#underWayBytes += bytes;
    this.#context.background('assign', this.#assign(deliveries, bytes));
  }

  async #assign(deliveries: readonly Delivery[], reservedBytes: number): Promise<void> {
    let assigned: Assignment[] = [];
    try {
      assigned = await claimDeliveries(this.#context, deliveries, this.#claimant);
    } finally {
      this.#underWayBytes -= reservedBytes;
      const used = assigned.reduce((sum, assignment) => sum + assignment.spec.length, 0);
      if (assigned.length < deliveries.length || used !== reservedBytes) {
        this.#giveBack(deliveries.length - assigned.length, reservedBytes - used);
      }
    }
    if (assigned.length > 0) this.#deliver(assigned);
  }

  #deliver(tasks: readonly Assignment[]): void {
    if (this.#closed) {
      this.#release(tasks);
      return;
    }
    this.#seq++;
    this.#unacknowledged.gave(this.#seq, tasks, this.#context.clock.monotonic());
    this.#sink.assign(this.#seq, tasks);
  }

  #release(tasks: readonly Assignment[]): void {
    this.#context.background('release', releaseUnacknowledged(this.#context, tasks));
  }
}

export function openSession(context: ServiceContext, hello: WorkerHello, sink: SessionSink): Session {
  const session = new WorkerSession(context, hello, sink);
  context.sessions.add(session);
  context.background('session', session.run());
  return session;
}
