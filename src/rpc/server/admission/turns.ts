/**
 * Lets the calls of one node begin in turns of the event loop, and by turns of the identities. The store works on one call
 * after the other, so that without turns the calls of one identity, each of them valid, would be a queue before the calls
 * of all others. An identity with few calls waits for one turn, however many calls another one has.
 */
import type { Clock } from '../../../ports/clock.ts';
import { connectionClosed } from '../authenticator.ts';

/** The units of work that may begin in one turn of the event loop. A unit is one task of a batch, about 25 µs. */
const turnUnits = 4_096;
/** The units that an identity may begin before the next identity is served. */
const quantumUnits = 256;
/** The most units of submissions that are being stored at the same time, of all identities. */
const storingUnits = 4_096;

/** A call's share of the work of a turn. */
export interface Work {
  readonly units: number;
  /** True if the units count until the call has ended, since its tasks wait for the store. */
  readonly isStored: boolean;
}

interface WaitingCall extends Work {
  begin(): void;
}

interface Lane {
  readonly calls: Set<WaitingCall>;
  /** The units that this identity may begin before another one is served. */
  credit: number;
}

export class Turns {
  readonly #clock: Clock;
  /** The identities with waiting calls. The first one is served next. */
  readonly #lanes = new Map<string, Lane>();
  #begunUnits = 0;
  #storedUnits = 0;
  #isScheduled = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The number of calls that wait for their turn. */
  get waiting(): number {
    let count = 0;
    for (const { calls } of this.#lanes.values()) count += calls.size;
    return count;
  }

  /** Runs a call at once or at its turn; without work it takes no turn. Rejects with CANCELLED if its caller goes away before. */
  run<T>(
    { identity, signal }: { readonly identity: { readonly name: string }; readonly signal: AbortSignal },
    work: Work | undefined,
    run: () => Promise<T>,
  ): Promise<T> {
    if (work === undefined) return run();
    const turn = this.#turnOf(identity.name, work, signal);
    return turn === undefined ? this.#run(work, run) : turn.then(() => this.#run(work, run));
  }

  #run<T>(work: Work, run: () => Promise<T>): Promise<T> {
    const answer = run();
    if (work.isStored) {
      const ended = (): void => this.#end(work);
      answer.then(ended, ended);
    }
    return answer;
  }

  /**
   * Returns undefined if a call may begin at once, else a promise that resolves at the call's turn. It rejects with
   * CANCELLED if the caller goes away before.
   */
  #turnOf(identity: string, work: Work, signal: AbortSignal): Promise<void> | undefined {
    if (this.#lanes.size === 0 && this.#hasRoom(work)) {
      this.#count(work);
      return undefined;
    }
    return new Promise((resolve, reject) => {
      let lane = this.#lanes.get(identity);
      if (lane === undefined) {
        lane = { calls: new Set(), credit: 0 };
        this.#lanes.set(identity, lane);
      }
      const { calls } = lane;
      const gone = (): void => {
        calls.delete(call);
        if (calls.size === 0 && this.#lanes.get(identity)?.calls === calls) this.#lanes.delete(identity);
        reject(connectionClosed);
      };
      const call: WaitingCall = {
        ...work,
        begin: () => {
          signal.removeEventListener('abort', gone);
          this.#count(work);
          resolve();
        },
      };
      calls.add(call);
      signal.addEventListener('abort', gone);
      this.#schedule();
    });
  }

  /** Called when a call whose work is stored has ended. */
  #end({ units }: Work): void {
    this.#storedUnits -= units;
    if (this.#lanes.size > 0) this.#schedule();
  }

  #hasRoom({ units, isStored }: Work): boolean {
    if (this.#begunUnits > 0 && this.#begunUnits + units > turnUnits) return false;
    return !isStored || this.#storedUnits === 0 || this.#storedUnits + units <= storingUnits;
  }

  #count({ units, isStored }: Work): void {
    this.#begunUnits += units;
    if (isStored) this.#storedUnits += units;
    this.#schedule();
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.#clock.soon(() => {
      this.#isScheduled = false;
      this.#begunUnits = 0;
      this.#serve();
    });
  }

  /** Begins waiting calls, by turns of the identities, until the turn is used or nothing waits that may begin. */
  #serve(): void {
    let idle = 0;
    while (this.#lanes.size > 0 && idle < this.#lanes.size) {
      const [name, lane] = this.#lanes.entries().next().value as [string, Lane];
      this.#lanes.delete(name);
      const hasBegun = this.#serveOne(lane);
      if (lane.calls.size > 0) this.#lanes.set(name, lane);
      idle = hasBegun ? 0 : idle + 1;
    }
  }

  /** Begins calls of one identity. Returns false if the first of them may not begin in this turn. */
  #serveOne(lane: Lane): boolean {
    lane.credit += quantumUnits;
    for (const call of lane.calls) {
      if (!this.#hasRoom(call)) {
        lane.credit = 0;
        return false;
      }
      if (call.units > lane.credit) return true;
      lane.credit -= call.units;
      lane.calls.delete(call);
      call.begin();
    }
    return true;
  }
}
