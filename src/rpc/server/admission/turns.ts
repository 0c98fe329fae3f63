/**
 * Lets the calls of one node begin in turns of the event loop, and by turns of the identities. The store works on one call
 * after the other. Without turns the calls of one identity, each of them valid, would form a queue in front of the calls
 * of all others. An identity with few calls waits for one turn, however many calls another one has.
 *
 * The identities are served by a deficit round robin. A submission whose turn has come and that does not fit into the store
 * yet keeps its place: no other submission takes the room that it waits for, so that smaller ones cannot keep it waiting.
 */
import type { Clock } from '../../../ports/clock.ts';
import { connectionClosed } from '../authenticator.ts';

/** In one turn of the event loop calls begin until they have this many units of work. A unit is one task of a batch, about 25 µs. */
const turnUnits = 4_096;
/** The units that an identity may begin before the next identity is served. */
const quantumUnits = 256;
/** The most units of submissions that are being stored at the same time, of all identities, without those in the reserve. */
const storingUnits = 4_096;
/** As many more may be stored for identities that have at most `storingUnitsOfReserve`. These do not wait for larger calls. */
const storingReserve = 1_024;
const storingUnitsOfReserve = 256;

/** A call's share of the work of a turn. */
export interface Work {
  readonly units: number;
  /** True if the units count until the call has ended, since its tasks wait for the store. */
  readonly isStored: boolean;
}

/** The part of the store's units in which a call counts until it has ended. */
type Part = 'none' | 'ordinary' | 'reserve';

interface WaitingCall {
  readonly work: Work;
  begin(part: Part): void;
}

/** The waiting calls of one identity, oldest first. */
interface OwnCalls {
  readonly calls: Set<WaitingCall>;
  /** The units that this identity may begin before another one is served. What a call saves for stays until it begins. */
  credit: number;
  /** True from the credit of the identity's turn until another one is served. */
  isServed: boolean;
}

/** The identities with waiting calls. The first one is served next. */
type Waiting = Map<string, OwnCalls>;

export class Turns {
  readonly #clock: Clock;
  /** Submissions wait apart from the other calls, which need no room in the store. */
  readonly #submissions: Waiting = new Map();
  readonly #others: Waiting = new Map();
  #begunUnits = 0;
  readonly #stored = { ordinary: 0, reserve: 0 };
  readonly #storedByIdentity = new Map<string, number>();
  #isScheduled = false;
  /** Changes at each turn of the event loop, so that neither kind of call uses up all turns. */
  #submissionsFirst = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The number of calls that wait for their turn. */
  get waiting(): number {
    let count = 0;
    for (const waiting of [this.#submissions, this.#others])
      for (const { calls } of waiting.values()) count += calls.size;
    return count;
  }

  /** Runs a call at once or at its turn; without work it takes no turn. Rejects with CANCELLED if its caller goes away before. */
  run<T>(
    { identity, signal }: { readonly identity: { readonly name: string }; readonly signal: AbortSignal },
    work: Work | undefined,
    run: () => Promise<T>,
  ): Promise<T> {
    if (work === undefined) return run();
    const { name } = identity;
    const part = this.#waitingOf(work).size === 0 ? this.#partFor(name, work) : undefined;
    if (part === undefined)
      return this.#turnOf(name, work, signal).then((at) => this.#run(name, work, at, run));
    this.#count(name, work, part);
    return this.#run(name, work, part, run);
  }

  #run<T>(identity: string, work: Work, part: Part, run: () => Promise<T>): Promise<T> {
    const answer = run();
    if (part !== 'none') {
      const ended = (): void => this.#end(identity, work, part);
      answer.then(ended, ended);
    }
    return answer;
  }

  #waitingOf({ isStored }: Work): Waiting {
    return isStored ? this.#submissions : this.#others;
  }

  /** Resolves at the call's turn. Rejects with CANCELLED if the caller goes away before. */
  #turnOf(identity: string, work: Work, signal: AbortSignal): Promise<Part> {
    const waiting = this.#waitingOf(work);
    return new Promise((resolve, reject) => {
      const own = waiting.get(identity) ?? { calls: new Set(), credit: 0, isServed: false };
      waiting.set(identity, own);
      const { calls } = own;
      const gone = (): void => {
        calls.delete(call);
        if (calls.size === 0 && waiting.get(identity) === own) waiting.delete(identity);
        // The others may have the room for which this call has waited.
        this.#schedule();
        reject(connectionClosed);
      };
      const call: WaitingCall = {
        work,
        begin: (part) => {
          signal.removeEventListener('abort', gone);
          this.#count(identity, work, part);
          resolve(part);
        },
      };
      calls.add(call);
      signal.addEventListener('abort', gone);
      this.#schedule();
    });
  }

  /** Called when a call whose work is stored has ended. */
  #end(identity: string, { units }: Work, part: 'ordinary' | 'reserve'): void {
    this.#stored[part] -= units;
    const left = (this.#storedByIdentity.get(identity) ?? units) - units;
    if (left === 0) this.#storedByIdentity.delete(identity);
    else this.#storedByIdentity.set(identity, left);
    if (this.#submissions.size > 0) this.#schedule();
  }

  /** Returns where a call may begin now, or undefined if it must wait. */
  #partFor(identity: string, work: Work): Part | undefined {
    if (this.#isUsed) return undefined;
    if (!work.isStored) return 'none';
    if (this.#fits(work)) return 'ordinary';
    return this.#fitsReserve(identity, work) ? 'reserve' : undefined;
  }

  /** True if the calls that have begun are the work of a whole turn of the event loop. */
  get #isUsed(): boolean {
    return this.#begunUnits >= turnUnits;
  }

  #fits({ units }: Work): boolean {
    const { ordinary } = this.#stored;
    return ordinary === 0 || ordinary + units <= storingUnits;
  }

  #fitsReserve(identity: string, { units }: Work): boolean {
    const own = (this.#storedByIdentity.get(identity) ?? 0) + units;
    return own <= storingUnitsOfReserve && this.#stored.reserve + units <= storingReserve;
  }

  #count(identity: string, { units }: Work, part: Part): void {
    this.#begunUnits += units;
    if (part !== 'none') {
      this.#stored[part] += units;
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
      this.#submissionsFirst = !this.#submissionsFirst;
      if (this.#submissionsFirst) this.#serveSubmissions();
      this.#serve(this.#others, 'none');
      if (!this.#submissionsFirst) this.#serveSubmissions();
    });
  }

  #serveSubmissions(): void {
    this.#serve(this.#submissions, 'ordinary');
    for (const [identity, own] of this.#submissions) this.#serveReserve(identity, own);
  }

  /**
   * Begins waiting calls, by turns of the identities, until the turn is used or the next call does not fit. Its identity
   * stays the first one, with its credit.
   */
  #serve(waiting: Waiting, part: 'none' | 'ordinary'): void {
    for (let [first] = waiting; first !== undefined && !this.#isUsed; [first] = waiting) {
      const [identity, own] = first;
      if (!own.isServed) own.credit += quantumUnits;
      own.isServed = true;
      const [call] = own.calls;
      if (call !== undefined && call.work.units <= own.credit) {
        if (part === 'ordinary' && !this.#fits(call.work)) return;
        own.credit -= call.work.units;
        this.#begin(waiting, identity, own, call, part);
        continue;
      }
      own.isServed = false;
      waiting.delete(identity);
      waiting.set(identity, own);
    }
  }

  /** Begins the submissions of an identity with few, for which the reserve has room. */
  #serveReserve(identity: string, own: OwnCalls): void {
    for (const call of own.calls) {
      if (this.#isUsed || !this.#fitsReserve(identity, call.work)) return;
      this.#begin(this.#submissions, identity, own, call, 'reserve');
    }
  }

  #begin(waiting: Waiting, identity: string, { calls }: OwnCalls, call: WaitingCall, part: Part): void {
    calls.delete(call);
    if (calls.size === 0) waiting.delete(identity);
    call.begin(part);
  }
}
