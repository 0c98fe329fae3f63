import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import type { AskAgent } from './agent.ts';

/**
 * How long a protection lasts that is not renewed. It is short because a deployment waits for protected tasks: ECS refuses
 * to renew the protection of a task that holds up a deployment, so that such a task ends within this time.
 */
const protectionMinutes = 10;
const protectionMs = protectionMinutes * 60_000;
/** The time after which a protection is renewed while the worker works. */
const renewMs = protectionMs / 2;
/** How long the worker must have had no running task before the protection is taken back. */
const idleMs = 15_000;
/** The time after which a failed call to the agent is tried again. */
const retryMs = 10_000;
const answerMs = 5_000;
/** The time that the agent gets to take the protection back when the worker has stopped. */
const lastAnswerMs = 1_000;
const logEveryMs = 60_000;

/**
 * Protects the ECS task of a worker from being stopped by scale-in while attempts run in it, and takes the protection back
 * once none has run for 15 s. It calls the agent when that changes and every 5 minutes, not for each task. A call that
 * fails is tried again and logged once a minute; the worker goes on.
 */
export class TaskProtection {
  readonly #ask: AskAgent;
  readonly #clock: Pick<Clock, 'after' | 'monotonic'>;
  readonly #log: Log;
  #running = 0;
  #idleSinceMs = Number.NEGATIVE_INFINITY;
  /** Until when ECS may hold a protection of this task, also one whose answer was lost. */
  #heldUntilMs = Number.NEGATIVE_INFINITY;
  /** True if the last call has succeeded and has protected the task. */
  #isProtected = false;
  #renewAtMs = Number.NEGATIVE_INFINITY;
  /** The earliest time of the next call after a failed one. */
  #retryAtMs = Number.NEGATIVE_INFINITY;
  #calling: Promise<void> | undefined;
  #timerAtMs = Number.POSITIVE_INFINITY;
  #cancelTimer: () => void = () => {};
  #loggedAtMs = Number.NEGATIVE_INFINITY;
  #stopping: Promise<void> | undefined;

  constructor(ask: AskAgent, clock: Pick<Clock, 'after' | 'monotonic'>, log: Log) {
    this.#ask = ask;
    this.#clock = clock;
    this.#log = log;
  }

  /** Protects the ECS task for as long as this attempt runs. */
  async during<T>(attempt: () => Promise<T>): Promise<T> {
    if (this.#running++ === 0) this.#check();
    try {
      return await attempt();
    } finally {
      if (--this.#running === 0) {
        this.#idleSinceMs = this.#clock.monotonic();
        this.#checkBy(this.#idleSinceMs + idleMs);
      }
    }
  }

  /** Takes the protection back, and makes no call after that. Waits for the agent a second at most, and never rejects. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    this.#cancelTimer();
    const isLate = Promise.withResolvers<void>();
    const cancelTimer = this.#clock.after(lastAnswerMs, isLate.resolve);
    const last = async (): Promise<void> => {
      await this.#calling;
      if (this.#clock.monotonic() < this.#heldUntilMs) await this.#call(false, lastAnswerMs);
    };
    await Promise.race([last(), isLate.promise]);
    cancelTimer();
  }

  /** Makes the call that is due now, if any, and sets the timer for the next one. */
  #check(): void {
    if (this.#stopping !== undefined || this.#calling !== undefined) return;
    const nowMs = this.#clock.monotonic();
    const idleAtMs = this.#running > 0 ? Number.POSITIVE_INFINITY : this.#idleSinceMs + idleMs;
    const isBusy = nowMs < idleAtMs;
    if (!isBusy && nowMs >= this.#heldUntilMs) return;
    const dueAtMs = isBusy && this.#isProtected ? this.#renewAtMs : this.#retryAtMs;
    if (nowMs < dueAtMs) {
      this.#checkBy(isBusy ? Math.min(dueAtMs, idleAtMs) : dueAtMs);
      return;
    }
    this.#calling = this.#call(isBusy, answerMs).finally(() => {
      this.#calling = undefined;
      this.#check();
    });
  }

  async #call(isBusy: boolean, limitMs: number): Promise<void> {
    const sentAtMs = this.#clock.monotonic();
    if (isBusy) this.#heldUntilMs = sentAtMs + protectionMs;
    const expiry = isBusy ? { ExpiresInMinutes: protectionMinutes } : {};
    try {
      await this.#ask({ ProtectionEnabled: isBusy, ...expiry }, limitMs);
      this.#isProtected = isBusy;
      this.#renewAtMs = sentAtMs + renewMs;
      this.#retryAtMs = Number.NEGATIVE_INFINITY;
      if (!isBusy) this.#heldUntilMs = Number.NEGATIVE_INFINITY;
    } catch (thrown) {
      this.#isProtected = false;
      this.#retryAtMs = this.#clock.monotonic() + retryMs;
      this.#logFailure(isBusy, (thrown as Error).message);
    }
  }

  #logFailure(isBusy: boolean, problem: string): void {
    const nowMs = this.#clock.monotonic();
    if (nowMs - this.#loggedAtMs < logEveryMs) return;
    this.#loggedAtMs = nowMs;
    const effect = isBusy
      ? 'the ECS task may be stopped by scale-in while it works'
      : `the protection of the ECS task is not taken back, and ends within ${protectionMinutes} minutes`;
    this.#log.warn({ why: problem }, `${effect}: the call to the agent of ECS ${problem}`);
  }

  /** Calls `check` at this time at the latest. */
  #checkBy(atMs: number): void {
    if (this.#timerAtMs <= atMs || this.#stopping !== undefined) return;
    this.#cancelTimer();
    this.#timerAtMs = atMs;
    this.#cancelTimer = this.#clock.after(atMs - this.#clock.monotonic(), () => {
      this.#timerAtMs = Number.POSITIVE_INFINITY;
      this.#check();
    });
  }
}
