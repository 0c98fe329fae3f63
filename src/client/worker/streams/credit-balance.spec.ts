import { beforeEach, describe, expect, it } from 'vitest';
import { type VirtualClock, virtualClock } from '../../../testing/virtual-clock.ts';
import { handle } from '../../contract/handler.ts';
import { defineTask, typed } from '../../contract/task.ts';
import type { BufferedAssignment } from '../buffered-assignment.ts';
import { Slots } from '../slots.ts';
import { CreditBalance } from './credit-balance.ts';
import { type CreditPeriod, noPeriod } from './credits.ts';
import type { PendingSettlement } from './settlements.ts';
import type { CreditAmount } from './work-stream.ts';

const taskOf = (name: string) => defineTask(name, { input: typed<number>(), output: typed<number>() });
const handlers = [
  handle(taskOf('slow'), async () => 0, { concurrency: 1 }),
  handle(taskOf('quick'), async () => 0),
];

/** A worker's credit on a virtual clock, without a server: the test plays the server. */
class Worker {
  readonly slots = new Slots(handlers, 4);
  readonly sent: CreditAmount[] = [];
  resets = 0;
  unanswered = 0;
  shrinkAtMs: number | undefined;
  readonly balance: CreditBalance;
  readonly #clock: VirtualClock;
  readonly #running: BufferedAssignment[] = [];

  constructor(clock: VirtualClock) {
    this.#clock = clock;
    this.balance = new CreditBalance({
      clock,
      slots: this.slots,
      prefetches: true,
      unanswered: () => this.unanswered,
      credit: (amount) => void this.sent.push(amount),
      resetCredit: () => {
        this.resets++;
        this.last = this.balance.initialCredit(false);
      },
      due: (atMs) => {
        this.shrinkAtMs = atMs;
      },
    });
    this.last = this.balance.initialCredit(true);
    this.balance.welcome('s');
  }

  /** The credit of the last hello message. */
  last: CreditAmount;

  assign(type: string): void {
    this.balance.assigned(type, 10, true);
    this.slots.add(
      { spec: new Uint8Array(10) } as never,
      this.slots.handlerOf(type) as never,
      {} as never,
      0,
    );
    this.start();
  }

  start(): void {
    const any = () => true;
    for (let next = this.slots.next(any); next !== undefined; next = this.slots.next(any)) this.#begin(next);
  }

  #begin(task: BufferedAssignment): void {
    this.#running.push(task);
    this.balance.begun(task.handler.task.name);
  }

  /** Ends an attempt. Returns the settlement and the period in which it returns its credit. */
  end(
    type: string,
    durationMs: number,
  ): { readonly batch: PendingSettlement[]; readonly period: CreditPeriod } {
    const ended = this.#running.findIndex(({ handler }) => handler.task.name === type);
    for (const task of this.#running.splice(ended, 1)) this.slots.ended(task);
    this.balance.ended(type, durationMs);
    this.unanswered++;
    this.start();
    const batch = [{ type, specBytes: 10, tries: 0 } as unknown as PendingSettlement];
    return { batch, period: this.balance.periodFor(batch) };
  }

  answer({ batch, period }: ReturnType<Worker['end']>): void {
    this.unanswered -= batch.length;
    this.balance.settled(batch, period, batch);
  }

  /** Lets time pass, with the calls of `shrink` that the balance requests. */
  async pass(ms: number): Promise<void> {
    const untilMs = this.#clock.monotonic() + ms;
    while (this.shrinkAtMs !== undefined && this.shrinkAtMs <= untilMs) {
      await this.#clock.advance(Math.max(0, this.shrinkAtMs - this.#clock.monotonic()));
      this.shrinkAtMs = this.balance.shrink(this.#clock.monotonic());
    }
    await this.#clock.advance(untilMs - this.#clock.monotonic());
  }
}

let worker: Worker;
let clock: VirtualClock;
beforeEach(() => {
  clock = virtualClock();
  worker = new Worker(clock);
});

describe('the credit of a worker with a limited type', () => {
  it('begins with the limit of the type, beside the credit for all tasks', () => {
    expect(worker.last).toMatchObject({ tasks: 8, types: [{ type: 'slow', tasks: 1 }] });
  });

  it('names no type whose limit is not below that of the worker', () => {
    const slots = new Slots(handlers.slice(0, 1), 4);
    expect(slots.typeLimits).toEqual(new Map());
  });

  it('of the type is not raised while its slot is taken', async () => {
    worker.assign('slow');
    worker.balance.replenishSoon();
    await clock.settle();
    expect(worker.sent).toEqual([]);
  });

  it('of the type goes back with the settlement, and is not sent again', async () => {
    worker.assign('slow');
    await worker.pass(2_500);
    const ended = worker.end('slow', 2_500);
    expect(ended.period.sessionId).toBe('s');
    worker.answer(ended);
    await clock.settle();
    expect(worker.sent.flatMap(({ types }) => types)).toEqual([]);
  });

  it('of the type is sent if the node of the settlement did not return it', async () => {
    worker.assign('slow');
    await worker.pass(2_500);
    worker.answer({ ...worker.end('slow', 2_500), period: noPeriod });
    expect(worker.sent.flatMap(({ types }) => types)).toEqual([{ type: 'slow', tasks: 1 }]);
  });

  it('of the type grows with the attempts that end in a second, and is taken back when they are rare', async () => {
    for (let i = 0; i < 20; i++) {
      worker.assign('slow');
      await worker.pass(20);
      worker.answer(worker.end('slow', 20));
    }
    await clock.settle();
    const more = worker.sent.flatMap(({ types }) => types).reduce((sum, { tasks }) => sum + tasks, 0);
    expect(more).toBeGreaterThan(10);
    expect(more).toBeLessThanOrEqual(21);
    await worker.pass(3_000);
    expect(worker.last.types).toEqual([{ type: 'slow', tasks: 1 }]);
    expect(worker.last.tasks).toBe(4);
    expect(worker.shrinkAtMs).toBeUndefined();
  });

  it('for all tasks does not count tasks that wait for their type beside free slots', async () => {
    // An older server knows no limits of types and assigns what it has.
    for (let i = 0; i < 8; i++) worker.assign('slow');
    worker.balance.replenishSoon();
    await clock.settle();
    expect(worker.sent.reduce((sum, { tasks }) => sum + tasks, 0)).toBe(3);
  });

  it('of a worker that stops is none', () => {
    worker.balance.stop();
    expect(worker.balance.initialCredit(false)).toMatchObject({
      tasks: 0,
      types: [{ type: 'slow', tasks: 0 }],
    });
  });
});
