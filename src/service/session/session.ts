import { HoldfastError } from '../../core/errors.ts';
import { handlesType } from '../../core/handled-type.ts';
import { limits } from '../../core/limits.ts';
import type { Assignment, CancelCause } from '../../core/messages.ts';
import { isSameQueue, type QueueRef } from '../../core/queue-ref.ts';
import type { Submission } from '../../core/submission/submission.ts';
import type { Delivery, ReceiveRequest } from '../../ports/broker.ts';
import { type Claimant, claimDeliveries } from '../claim/claim-deliveries.ts';
import type { ServiceContext } from '../context.ts';
import type { Session, SessionSink, WorkerHello, WorkerView } from '../service.ts';
import { releaseUnacknowledged } from '../settle/settle.ts';
import type { LiveSession } from './sessions.ts';
import { UnacknowledgedAssignments } from './unacknowledged.ts';

/**
 * The maximum wait of one receive call to the broker, in ms, before the next call is started. A delivery ends the wait at
 * once.
 */
const receiveWaitMs = 20_000;
const retryDelayMs = 1_000;

/**
 * One worker's stream on this node: takes credits from the worker and gives assignments to it. The session makes one
 * receive call to the broker at a time, so that no credit is used twice.
 */
export class WorkerSession implements Session, LiveSession {
  readonly id: string;
  readonly #context: ServiceContext;
  readonly #hello: WorkerHello;
  readonly #sink: SessionSink;
  readonly #claimant: Claimant;
  readonly #connectedAtMs: number;
  readonly #unacknowledged = new UnacknowledgedAssignments();
  readonly #unsubscribe: () => void;
  #taskCredits: number;
  #byteCredits: number;
  /** The payload bytes of tasks that are being claimed for this stream and have not been sent to it yet. */
  #claimingBytes = 0;
  #seq = 0;
  #isClosed = false;
  #isDraining = false;
  #wake: (() => void) | undefined;
  #interruption = new AbortController();
  /**
   * True if the pending receive call could not take a delivery because the worker had no room. The broker does not offer
   * that delivery to the same call again, so the call is restarted when the worker has room.
   */
  #lacksRoom = false;
  /** The receive call to the broker that is in progress, and the queues from which it receives. */
  #pendingReceive: { readonly queues: readonly QueueRef[]; readonly want: ReceiveRequest } | undefined;

  constructor(context: ServiceContext, hello: WorkerHello, sink: SessionSink) {
    this.id = context.clock.uuid();
    this.#context = context;
    this.#hello = hello;
    this.#sink = sink;
    this.#taskCredits = Math.min(hello.tasks, limits.inFlightTasks);
    this.#byteCredits = hello.bytes;
    this.#claimant = {
      worker: `${hello.workerName}/${hello.workerId}`,
      types: hello.types,
      sessionId: this.id,
    };
    this.#connectedAtMs = context.clock.now();
    this.#unsubscribe = context.queues.onChange(() => this.#interrupt());
  }

  /** Gives tasks to the worker until its stream is closed. If the store fails, logs the error and tries again after 1 s. */
  async run(): Promise<void> {
    const { clock, log } = this.#context;
    while (!this.#isClosed) {
      if (this.#isDraining || !this.#hasRoom()) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
        continue;
      }
      try {
        const queues = await this.#unpausedQueues();
        if (queues.length > 0) this.#claimInBackground(await this.#receive(queues));
        else await clock.sleep(retryDelayMs, this.#interruption.signal);
      } catch (err) {
        if (this.#namesUnknownQueue(err)) this.#sink.refuse?.(err);
        log.warn({ err, worker: this.#claimant.worker }, 'could not receive work; retrying');
        if (!this.#isClosed) await clock.sleep(retryDelayMs);
      }
      if (this.#interruption.signal.aborted) this.#interruption = new AbortController();
    }
  }

  credit(tasks: number, bytes: number): void {
    this.#unacknowledged.recordMessage(this.#context.clock.monotonic());
    this.#returnCredits(tasks, bytes);
  }

  reset(tasks: number, bytes: number): void {
    this.#unacknowledged.recordMessage(this.#context.clock.monotonic());
    this.#taskCredits = Math.min(tasks, limits.inFlightTasks);
    this.#byteCredits = bytes;
    this.#wakeUp();
  }

  received(seq: number): void {
    this.#unacknowledged.recordMessage(this.#context.clock.monotonic());
    this.#unacknowledged.acknowledge(seq);
    this.#wakeUp();
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#unsubscribe();
    this.#interrupt();
    for (const tasks of this.#unacknowledged.takeAll()) this.#release(tasks);
    this.#context.sessions.remove(this.id);
  }

  drain(): void {
    if (this.#isDraining || this.#isClosed) return;
    this.#isDraining = true;
    this.#interrupt();
    this.#sink.drain();
  }

  cancelAttempt(id: string, fencingToken: number, cause: CancelCause): void {
    if (!this.#isClosed) this.#sink.cancel(id, fencingToken, cause);
  }

  get worker(): string {
    return this.#claimant.worker;
  }

  get hasUnacknowledged(): boolean {
    return !this.#unacknowledged.isEmpty;
  }

  waitsFor(queue: QueueRef, { type, typeVersion, spec }: Submission): boolean {
    const pending = this.#pendingReceive;
    if (pending === undefined || this.#isDraining || this.#isClosed || this.#interruption.signal.aborted)
      return false;
    const { tasks, bytes } = this.#room();
    if (tasks <= 0 || spec.length > bytes) return false;
    if (!pending.queues.some((ref) => isSameQueue(ref, queue))) return false;
    return (
      handlesType(this.#hello.types, type, typeVersion) &&
      this.#context.broker.isIdle?.(pending.want) === true
    );
  }

  reserve(bytes: number): void {
    this.#taskCredits--;
    this.#byteCredits -= bytes;
    this.#claimingBytes += bytes;
  }

  deliverReserved(
    reserved: { readonly tasks: number; readonly bytes: number },
    tasks: readonly Assignment[],
  ): void {
    this.#claimingBytes -= reserved.bytes;
    const used = tasks.reduce((sum, task) => sum + task.spec.length, 0);
    if (tasks.length < reserved.tasks)
      this.#returnCredits(reserved.tasks - tasks.length, reserved.bytes - used);
    if (tasks.length > 0) this.#deliver(tasks);
  }

  roomFreed(): void {
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
      unlistedCount: 0,
    };
  }

  #hasRoom(): boolean {
    if (this.#taskCredits <= 0 || this.#roomBytes() <= 0) return false;
    return !this.#unacknowledged.isUnresponsive(this.#context.clock.monotonic());
  }

  #returnCredits(tasks: number, bytes: number): void {
    this.#taskCredits = Math.min(this.#taskCredits + tasks, limits.inFlightTasks);
    this.#byteCredits += bytes;
    this.#wakeUp();
  }

  /**
   * Returns how many payload bytes may be assigned now: the lower of the worker's byte credits and the free room of its
   * stream. Without the second limit one large write could fill the stream, and a fast reader would be cut off as too slow.
   */
  #roomBytes(): number {
    const streamBytes = this.#sink.roomBytes?.() ?? Number.POSITIVE_INFINITY;
    return Math.min(this.#byteCredits, streamBytes - this.#claimingBytes);
  }

  #wakeUp(): void {
    if (!this.#hasRoom()) return;
    if (this.#lacksRoom) this.#interruption.abort();
    this.#lacksRoom = false;
    this.#wake?.();
    this.#wake = undefined;
  }

  /** Ends the current wait of the session's loop (`run`), so that the loop checks the state of the session again. */
  #interrupt(): void {
    this.#interruption.abort();
    this.#wake?.();
    this.#wake = undefined;
  }

  /**
   * Returns true if the error says that the worker named an unknown queue. Returns false if all queues of the worker are in
   * the registry, because the SQS queue of a new registry entry may not be visible everywhere yet.
   */
  #namesUnknownQueue(err: unknown): err is HoldfastError {
    const { tenant, queues } = this.#hello;
    const isMisnamed = queues.some((queue) => !this.#context.queues.has({ tenant, queue }));
    return isMisnamed && err instanceof HoldfastError && err.reason === 'QUEUE_UNKNOWN';
  }

  async #unpausedQueues(): Promise<QueueRef[]> {
    const { tenant } = this.#hello;
    const unpaused: QueueRef[] = [];
    for (const queue of this.#hello.queues) {
      const ref = { tenant, queue };
      if (!this.#context.queues.has(ref)) await this.#context.queues.ensure(ref);
      if (!this.#context.queues.of(ref).paused) unpaused.push(ref);
    }
    return unpaused;
  }

  async #receive(queues: readonly QueueRef[]): Promise<readonly Delivery[]> {
    const { broker, sessions } = this.#context;
    const want: ReceiveRequest = {
      types: this.#hello.types,
      room: () => this.#room(),
      waitMs: receiveWaitMs,
      signal: this.#interruption.signal,
    };
    this.#pendingReceive = { queues, want };
    sessions.waiting.add(this);
    try {
      return await broker.receive(queues, want);
    } finally {
      this.#pendingReceive = undefined;
      sessions.waiting.delete(this);
    }
  }

  /**
   * Returns how many tasks and payload bytes one receive call may take: at most one batch of the store, because the next
   * call follows at once.
   */
  #room(): { tasks: number; bytes: number } {
    if (this.#isClosed || this.#isDraining) return { tasks: 0, bytes: 0 };
    if (this.#hasRoom())
      return { tasks: Math.min(this.#taskCredits, limits.batchItems), bytes: Math.max(0, this.#roomBytes()) };
    this.#lacksRoom = true;
    return { tasks: 0, bytes: 0 };
  }

  #claimInBackground(deliveries: readonly Delivery[]): void {
    if (deliveries.length === 0) return;
    // The size of a payload is known before the claim only if the delivery carries a snapshot; other payloads are
    // subtracted from the byte credits after the claim.
    const bytes = deliveries.reduce(
      (sum, delivery) => sum + (delivery.snapshot?.submission.spec.length ?? 0),
      0,
    );
    this.#taskCredits -= deliveries.length;
    this.#byteCredits -= bytes;
    this.#claimingBytes += bytes;
    this.#context.background('assign', this.#assign(deliveries, bytes));
  }

  async #assign(deliveries: readonly Delivery[], reservedBytes: number): Promise<void> {
    let assigned: Assignment[] = [];
    try {
      assigned = await claimDeliveries(this.#context, deliveries, this.#claimant);
    } finally {
      this.#claimingBytes -= reservedBytes;
      const used = assigned.reduce((sum, assignment) => sum + assignment.spec.length, 0);
      if (assigned.length < deliveries.length || used !== reservedBytes) {
        this.#returnCredits(deliveries.length - assigned.length, reservedBytes - used);
      }
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
    this.#sink.assign(this.#seq, tasks);
  }

  #release(tasks: readonly Assignment[]): void {
    this.#context.background('release', releaseUnacknowledged(this.#context, tasks));
  }
}

export function openSession(context: ServiceContext, hello: WorkerHello, sink: SessionSink): Session {
  const session = new WorkerSession(context, hello, sink);
  context.sessions.add(session);
  context.runSession(session.run());
  return session;
}
