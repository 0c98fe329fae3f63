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
import { type Part, Room, type RoomLimits } from './room.ts';

/** In one turn of the event loop calls begin until they have this many units of work. A unit is one task of a batch, about 25 µs. */
const turnUnits = 4_096;
/**
 * Reads begin until they have this many units, since their answers are built in the same turn. In each turn of the event loop
 * a listener accepts one connection (libuv), and a new connection needs four turns more for its TLS handshake and its first
 * request, so that new connections wait long if each turn is long.
 */
const readingTurnUnits = 256;
/** The units that an identity may begin before the next identity is served. */
const quantumUnits = 256;
/** The most units of submissions that are handed to the store at the same time. */
const storing: RoomLimits = { ordinary: 4_096, reserve: 1_024, ofReserve: 256 };
/**
 * The most reads of calls that are in progress at the same time. The engine on AWS reads for calls and for claims in 128 requests at once, and
 * lists in 32: the calls leave a part of both to claims and to the sweep, and a part of theirs to identities that read little.
 */
const reading: RoomLimits = { ordinary: 72, reserve: 24, ofReserve: 8 };

/** A call's share of the work of a turn. */
export interface Work {
  readonly units: number;
  /** The room in which the call counts until it has ended; undefined if it counts in its turn alone. */
  readonly room: 'storing' | 'reading' | undefined;
  /** How much it holds there: the units of a submission, or the reads that a call makes at the same time. */
  readonly held: number;
}

interface WaitingCall {
  readonly work: Work;
  begin(part: Part | undefined): void;
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

/** The calls of one kind that wait for their turn, and the room that they have. Calls without a room have all they need. */
interface Kind {
  readonly waiting: Waiting;
  readonly room: Room | undefined;
  /** The most units that calls of this kind begin with in one turn of the event loop, and those of the present turn. */
  readonly turnUnits: number;
  begunUnits: number;
}

function kindOf(room: Room | undefined, most: number = turnUnits): Kind {
  return { waiting: new Map(), room, turnUnits: most, begunUnits: 0 };
}

export class Turns {
  readonly #clock: Clock;
  /** Calls of one kind wait apart from those of another, so that none waits for room that it does not need. */
  readonly #storing = kindOf(new Room(storing));
  readonly #reading = kindOf(new Room(reading), readingTurnUnits);
  readonly #others = kindOf(undefined);
  /** Changes its order at each turn of the event loop, so that no kind of call uses up all turns. */
  readonly #kinds: Kind[] = [this.#storing, this.#reading, this.#others];
  #begunUnits = 0;
  #isScheduled = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The number of calls that wait for their turn. */
  get waiting(): number {
    let count = 0;
    for (const { waiting } of this.#kinds) for (const { calls } of waiting.values()) count += calls.size;
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
    const kind = this.#kindOf(work);
    const isLate = kind.waiting.size > 0 || this.#isUsedBy(kind);
    const part = isLate ? undefined : kind.room?.partFor(name, work.held);
    if (isLate || (kind.room !== undefined && part === undefined))
      return this.#turnOf(name, work, signal).then((at) => this.#run(name, work, at, run));
    this.#count(name, work, part);
    return this.#run(name, work, part, run);
  }

  #run<T>(identity: string, work: Work, part: Part | undefined, run: () => Promise<T>): Promise<T> {
    const answer = run();
    if (part !== undefined) {
      const ended = (): void => this.#end(identity, work, part);
      answer.then(ended, ended);
    }
    return answer;
  }

  #kindOf({ room }: Work): Kind {
    if (room === 'storing') return this.#storing;
    return room === 'reading' ? this.#reading : this.#others;
  }

  /** Resolves at the call's turn. Rejects with CANCELLED if the caller goes away before. */
  #turnOf(identity: string, work: Work, signal: AbortSignal): Promise<Part | undefined> {
    const { waiting } = this.#kindOf(work);
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

  /** Called when a call that holds a part of its room has ended. */
  #end(identity: string, work: Work, part: Part): void {
    const { room, waiting } = this.#kindOf(work);
    room?.leave(identity, work.held, part);
    if (waiting.size > 0) this.#schedule();
  }

  /** True if the calls that have begun, or those of this kind, are the work of a whole turn of the event loop. */
  #isUsedBy(kind: Kind): boolean {
    return this.#begunUnits >= turnUnits || kind.begunUnits >= kind.turnUnits;
  }

  #count(identity: string, work: Work, part: Part | undefined): void {
    const kind = this.#kindOf(work);
    this.#begunUnits += work.units;
    kind.begunUnits += work.units;
    if (part !== undefined) kind.room?.enter(identity, work.held, part);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.#clock.soon(() => {
      this.#isScheduled = false;
      this.#begunUnits = 0;
      for (const kind of this.#kinds) kind.begunUnits = 0;
      const [first] = this.#kinds.splice(0, 1) as [Kind];
      this.#kinds.push(first);
      for (const kind of this.#kinds) this.#serve(kind);
    });
  }

  #serve(kind: Kind): void {
    this.#serveInTurns(kind);
    if (kind.room !== undefined)
      for (const [identity, own] of kind.waiting) this.#serveReserve(kind, kind.room, identity, own);
  }

  /**
   * Begins waiting calls, by turns of the identities, until the turn is used or the next call does not fit. Its identity
   * stays the first one, with its credit.
   */
  #serveInTurns(kind: Kind): void {
    const { waiting, room } = kind;
    for (let [first] = waiting; first !== undefined && !this.#isUsedBy(kind); [first] = waiting) {
      const [identity, own] = first;
      if (!own.isServed) own.credit += quantumUnits;
      own.isServed = true;
      const [call] = own.calls;
      if (call !== undefined && call.work.units <= own.credit) {
        if (room !== undefined && !room.fits(call.work.held)) return;
        own.credit -= call.work.units;
        this.#begin(waiting, identity, own, call, room === undefined ? undefined : 'ordinary');
        continue;
      }
      own.isServed = false;
      waiting.delete(identity);
      waiting.set(identity, own);
    }
  }

  /** Begins the calls of an identity with few, for which the reserve has room. */
  #serveReserve(kind: Kind, room: Room, identity: string, own: OwnCalls): void {
    for (const call of own.calls) {
      if (this.#isUsedBy(kind) || !room.fitsReserve(identity, call.work.held)) return;
      this.#begin(kind.waiting, identity, own, call, 'reserve');
    }
  }

  #begin(
    waiting: Waiting,
    identity: string,
    { calls }: OwnCalls,
    call: WaitingCall,
    part: Part | undefined,
  ): void {
    calls.delete(call);
    if (calls.size === 0) waiting.delete(identity);
    call.begin(part);
  }
}
