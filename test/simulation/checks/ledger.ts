import type { TaskId } from '../../../src/ports/task-store.ts';
import type { ObservedProcess } from './observed-process.ts';

/** One call of a handler, as the handler itself noted it. Times are in ms from the start of the simulated cluster. */
export interface Begin {
  readonly id: TaskId;
  readonly fencingToken: number;
  readonly process: ObservedProcess;
  readonly begunAtMs: number;
  /** The handlers that ran in the same process at some time while this one ran, and whose attempts were not over. */
  readonly beside: Set<Begin>;
  /** When the handler returned or threw. Undefined if it runs, or ran when its process died. */
  endedAtMs: number | undefined;
  /** True once the worker has ended the attempt because of its timeout. Its handler may go on, and its report be on its way. */
  isOver: boolean;
}

export interface LedgerParts {
  /** Returns the time in ms from the start of the simulated cluster. */
  now(): number;
  /** Returns true if the attempt still holds its lease: a handler that ignores its signal goes on after its attempt. */
  holdsLease(begun: Begin): boolean;
}

/** The simulated handlers' own notes: which attempts have begun, in which process, and what ran beside them. */
export class Ledger {
  readonly #parts: LedgerParts;
  readonly #byTask = new Map<TaskId, Map<number, Begin>>();
  readonly #running = new Map<ObservedProcess, Set<Begin>>();

  constructor(parts: LedgerParts) {
    this.#parts = parts;
  }

  begin(process: ObservedProcess, id: TaskId, fencingToken: number): Begin {
    const running = this.#running.get(process) ?? new Set();
    this.#running.set(process, running);
    const beside = new Set([...running].filter((other) => !other.isOver && this.#parts.holdsLease(other)));
    const begunAtMs = this.#parts.now();
    const begun = { id, fencingToken, process, begunAtMs, beside, endedAtMs: undefined, isOver: false };
    for (const other of beside) other.beside.add(begun);
    running.add(begun);
    const ofTask = this.#byTask.get(id) ?? new Map();
    this.#byTask.set(id, ofTask.set(fencingToken, begun));
    return begun;
  }

  end(begun: Begin): void {
    begun.endedAtMs = this.#parts.now();
    this.#running.get(begun.process)?.delete(begun);
  }

  get(id: TaskId, fencingToken: number): Begin | undefined {
    return this.#byTask.get(id)?.get(fencingToken);
  }

  ofTask(id: TaskId): Iterable<Begin> {
    return this.#byTask.get(id)?.values() ?? [];
  }

  runningIn(process: ObservedProcess): ReadonlySet<Begin> {
    return this.#running.get(process) ?? new Set();
  }
}
