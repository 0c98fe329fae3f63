/**
 * Lets the calls of one node begin in turns of the event loop, and by turns of the identities. The store works on one call
 * after the other. Without turns the calls of one identity, each of them valid, would form a queue in front of the calls
 * of all others. An identity with few calls waits for one turn, however many calls another one has.
 */
import type { Clock } from '../../../ports/clock.ts';
import { connectionClosed } from '../authenticator.ts';

/** In one turn of the event loop calls begin until they have this many units of work. A unit is one task of a batch, about 25 µs. */
const turnUnits = 4_096;
/** The units that an identity may begin before the next identity is served. */
const quantumUnits = 256;
/** The most units of submissions that are being stored at the same time, of all identities. */
const storingUnits = 5_120;
/** The last of these units, which an identity gets only while it has at most `storingUnitsOfReserve`. */
const storingReserve = 1_024;
const storingUnitsOfReserve = 256;

/** A call's share of the work of a turn. */
export interface Work {
  readonly units: number;
  /** True if the units count until the call has ended, since its tasks wait for the store. */
  readonly isStored: boolean;
}

interface WaitingCall {
  readonly work: Work;
  begin(): void;
}

/** The waiting calls of one identity, oldest first. */
interface OwnCalls {
  readonly calls: Set<WaitingCall>;
  /** The units that this identity may begin before another one is served. */
  credit: number;
}

export class Turns {
  readonly #clock: Clock;
  /** The identities with waiting calls. The first one is served next. */
  readonly #waiting = new Map<string, OwnCalls>();
  #begunUnits = 0;
  #storedUnits = 0;
  readonly #storedByIdentity = new Map<string, number>();
  #isScheduled = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The number of calls that wait for their turn. */
  get waiting(): number {
    let count = 0;
    for (const { calls } of this.#waiting.values()) count += calls.size;
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
    const { name } = identity;
    return turn === undefined ? this.#run(name, work, run) : turn.then(() => this.#run(name, work, run));
  }

  #run<T>(identity: string, work: Work, run: () => Promise<T>): Promise<T> {
    const answer = run();
    if (work.isStored) {
      const ended = (): void => this.#end(identity, work);
      answer.then(ended, ended);
    }
    return answer;
  }

  /**
   * Returns undefined if a call may begin at once, else a promise that resolves at the call's turn. It rejects with
   * CANCELLED if the caller goes away before.
   */
  #turnOf(identity: string, work: Work, signal: AbortSignal): Promise<void> | undefined {
    if (this.#waiting.size === 0 && this.#hasRoom(identity, work)) {
      this.#count(identity, work);
      return undefined;
    }
    return new Promise((resolve, reject) => {
      let own = this.#waiting.get(identity);
      if (own === undefined) {
        own = { calls: new Set(), credit: 0 };
        this.#waiting.set(identity, own);
      }
      const { calls } = own;
      const gone = (): void => {
        calls.delete(call);
        if (calls.size === 0 && this.#waiting.get(identity)?.calls === calls) this.#waiting.delete(identity);
        reject(connectionClosed);
      };
      const call: WaitingCall = {
        work,
        begin: () => {
          signal.removeEventListener('abort', gone);
          this.#count(identity, work);
          resolve();
        },
      };
      calls.add(call);
      signal.addEventListener('abort', gone);
      this.#schedule();
    });
  }

  /** Called when a call whose work is stored has ended. */
  #end(identity: string, { units }: Work): void {
    this.#storedUnits -= units;
    const left = (this.#storedByIdentity.get(identity) ?? units) - units;
    if (left === 0) this.#storedByIdentity.delete(identity);
    else this.#storedByIdentity.set(identity, left);
    if (this.#waiting.size > 0) this.#schedule();
  }

  #hasRoom(identity: string, { units, isStored }: Work): boolean {
    if (this.#begunUnits >= turnUnits) return false;
    if (!isStored || this.#storedUnits === 0) return true;
    const own = (this.#storedByIdentity.get(identity) ?? 0) + units;
    const most = own <= storingUnitsOfReserve ? storingUnits : storingUnits - storingReserve;
    return this.#storedUnits + units <= most;
  }

  #count(identity: string, { units, isStored }: Work): void {
    this.#begunUnits += units;
    if (isStored) {
      this.#storedUnits += units;
      this.#storedByIdentity.set(identity, (this.#storedByIdentity.get(identity) ?? 0) + units);
    }
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
    while (this.#waiting.size > 0 && idle < this.#waiting.size) {
      const [name, own] = this.#waiting.entries().next().value as [string, OwnCalls];
      this.#waiting.delete(name);
      const hasBegun = this.#serveOne(name, own);
      if (own.calls.size > 0) this.#waiting.set(name, own);
      idle = hasBegun ? 0 : idle + 1;
    }
  }

  /** Begins calls of one identity. Returns false if the first of them may not begin in this turn. */
  #serveOne(identity: string, own: OwnCalls): boolean {
    own.credit += quantumUnits;
    for (const call of own.calls) {
      if (!this.#hasRoom(identity, call.work)) {
        own.credit = 0;
        return false;
      }
      if (call.work.units > own.credit) return true;
      own.credit -= call.work.units;
      own.calls.delete(call);
      call.begin();
    }
    return true;
  }
}
