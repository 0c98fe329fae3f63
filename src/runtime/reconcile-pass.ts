/** How the reconciler looks at one queue's submissions of a range of time. */

import { HoldfastError } from '../core/errors.ts';
import type { Priority } from '../core/submission/submission.ts';
import { lapsed, leaseExpiredAtMs } from '../core/task/decision.ts';
import { dueAtMs, isEnded } from '../core/task/head.ts';
import type { Filter, QueueRef, Snapshot, TaskId } from '../ports/task-store.ts';
import { commitCommand, factsOf } from '../service/commit.ts';
import type { ServiceContext } from '../service/context.ts';
import { dispatch, isLowest } from '../service/hand-over.ts';
import { readEach } from '../service/read-each.ts';
import { carry, hourMs, leave, leftoversOf, type Note } from '../service/redrive/reconcile-notes.ts';
import type { UnhelpedTasks } from './failed-tasks.ts';

/** Of one look at one queue. */
export interface Looking {
  readonly context: ServiceContext;
  readonly queue: QueueRef;
  readonly signal: AbortSignal;
  readonly unhelped: UnhelpedTasks;
  /** Says that it goes on, however long it takes. */
  alive(): void;
}

/** Of acceptance; `untilMs` is exclusive. */
export interface Range {
  readonly fromMs: number;
  readonly untilMs: number;
}

/** How many tasks it looked at; undefined: it was stopped. */
export type Looked = number | undefined;

/**
 * One unfinished task: its end where its time is over, else its bell where it has no valid lease and no due entry
 * ahead. Ringing a task that has its bell does no harm: the claim's condition decides.
 */
async function lookAt(context: ServiceContext, snapshot: Snapshot): Promise<void> {
  const { head } = snapshot;
  const nowMs = context.clock.now();
  if (isEnded(head)) return;
  if (head.state === 'waiting' && lapsed(head, factsOf(context, snapshot), nowMs) !== undefined) {
    await commitCommand(context, snapshot, { kind: 'lapse' });
    return;
  }
  if (context.store.can.transactionalDispatch) return;
  if (head.state === 'running' && nowMs < leaseExpiredAtMs(head)) return;
  if (head.waitUntilMs !== undefined && (dueAtMs(head) ?? 0) > nowMs) return;
  if (await isLowest(context, snapshot)) await dispatch(context, snapshot, head.version, 'again');
}

/** After so many failures without a success between them the others of their priority are not even tried. */
const mostFailures = 10;

/** One look: at each task, whatever happens to others. */
class Look {
  readonly #looking: Looking;
  readonly #failures = new Map<Priority, number>();
  #unhelped = 0;
  #first: { readonly id: TaskId; readonly err: unknown } | undefined;

  constructor(looking: Looking) {
    this.#looking = looking;
  }

  /** Where too many like it failed it is not tried now, but with those that were. */
  async atOneOfMany(snapshot: Snapshot): Promise<void> {
    const { context, queue, unhelped } = this.#looking;
    // A queue of another priority may be there where this one's is not.
    const failures = this.#failures.get(snapshot.submission.options.priority) ?? 0;
    if (failures < mostFailures) await this.at(snapshot);
    else unhelped.untried(snapshot.id, queue, context.clock.now());
  }

  async at(snapshot: Snapshot): Promise<void> {
    const { context, queue, unhelped, alive } = this.#looking;
    const { id, submission } = snapshot;
    const { priority } = submission.options;
    alive();
    try {
      await lookAt(context, snapshot);
      this.#failures.delete(priority);
      unhelped.helped(id);
    } catch (err) {
      this.#first ??= { id, err };
      this.#failures.set(priority, (this.#failures.get(priority) ?? 0) + 1);
      this.#unhelped++;
      unhelped.failed(id, queue, context.clock.now());
    }
  }

  /** One line, however many they were. */
  tell(): void {
    if (this.#first === undefined) return;
    const { context, queue } = this.#looking;
    const { id: task_id, err } = this.#first;
    const fields = { err, task_id, ...queue, unhelped: this.#unhelped };
    context.log.warn(fields, 'could not look after some tasks; they are tried again');
  }
}

/** Those that could not be helped before, and whose pause is over. */
export async function lookAtUnhelped(looking: Looking): Promise<void> {
  const { context, queue, unhelped } = looking;
  const nowMs = context.clock.now();
  const ids = unhelped.due(queue, nowMs);
  if (ids.length === 0) return;
  const look = new Look(looking);
  const read = await readEach(ids, (some) => context.store.read(some, nowMs));
  for (const [i, one] of read.entries()) {
    if (one === undefined || one instanceof HoldfastError) unhelped.helped(ids[i] ?? '');
    else await look.at(one);
  }
  look.tell();
}

async function lookThrough(
  { context, queue: { tenant, queue }, signal, alive }: Looking,
  { fromMs, untilMs }: Range,
  look: Look,
  found: (snapshot: Snapshot) => void = () => {},
): Promise<Looked> {
  let cursor: string | undefined;
  let looked = 0;
  const range = { acceptedFromMs: fromMs, acceptedUntilMs: untilMs };
  const filter: Filter = { tenant, queue, state: 'unfinished', ...range };
  do {
    alive();
    const limit = context.store.limits.pageItems;
    const page = await context.store.list(filter, { limit, cursor, nowMs: context.clock.now() });
    for (const snapshot of page.items) {
      found(snapshot);
      await look.atOneOfMany(snapshot);
    }
    looked += page.examined;
    cursor = page.cursor;
    if (signal.aborted) return undefined;
  } while (cursor !== undefined);
  return looked;
}

/** Gathers, by the hour of their acceptance, tasks that were found unfinished. */
class Found {
  readonly #byHour = new Map<number, TaskId[]>();

  readonly add = ({ id, submission }: Snapshot): void => {
    const hour = Math.floor(submission.acceptedAtMs / hourMs);
    const ids = this.#byHour.get(hour);
    if (ids === undefined) this.#byHour.set(hour, [id]);
    else ids.push(id);
  };

  get notes(): Required<Note>[] {
    return [...this.#byHour].map(([hour, ids]) => ({ hour, ids }));
  }
}

/** The first look: at everything, with a note of what it left unfinished. */
export async function lookFirst(looking: Looking, range: Range): Promise<Looked> {
  const { context, queue } = looking;
  const left = new Found();
  const look = new Look(looking);
  const looked = await lookThrough(looking, range, look, left.add);
  look.tell();
  for (const { hour, ids } of left.notes) await leave(context, queue, hour, ids);
  return looked;
}

/** What a note names, or what of its hour lies in a range. */
async function lookAtNote(
  looking: Looking,
  { hour, ids }: Note,
  range: Range,
  look: Look,
  found: (snapshot: Snapshot) => void,
): Promise<Looked> {
  const { context } = looking;
  const part: Range = {
    fromMs: Math.max(range.fromMs, hour * hourMs),
    untilMs: Math.min(range.untilMs, (hour + 1) * hourMs),
  };
  if (ids === undefined) return lookThrough(looking, part, look, found);
  looking.alive();
  let looked = 0;
  const nowMs = context.clock.now();
  for (const snapshot of await readEach(ids, (some) => context.store.read(some, nowMs))) {
    if (snapshot === undefined || snapshot instanceof HoldfastError) continue;
    const { acceptedAtMs } = snapshot.submission;
    if (acceptedAtMs < part.fromMs || acceptedAtMs >= part.untilMs) continue;
    looked++;
    found(snapshot);
    await look.atOneOfMany(snapshot);
  }
  return looked;
}

const always: Range = { fromMs: 0, untilMs: Number.MAX_SAFE_INTEGER };

/**
 * A later look: only at what the first one left, and what is carried along with it. The last one carries what is still
 * unfinished into the present hour, from where it is looked at anew: nothing is left alone before it has ended.
 */
export async function lookAgain(looking: Looking, range: Range, isLast: boolean): Promise<Looked> {
  const { context, queue, signal } = looking;
  const look = new Look(looking);
  const left = new Found();
  const found = (snapshot: Snapshot): void => {
    if (isLast && snapshot.head.state !== 'succeeded' && snapshot.head.state !== 'cancelled')
      left.add(snapshot);
  };
  let looked = 0;
  const firstHour = Math.floor(range.fromMs / hourMs);
  const lastHour = Math.floor((range.untilMs - 1) / hourMs);
  for (const note of await leftoversOf(context.registry, queue, firstHour, lastHour)) {
    // Its beginning is in one range alone.
    const isBegun = note.hour * hourMs >= range.fromMs;
    const parts = [
      { part: note as Note, within: range },
      ...(isBegun ? (note.carried ?? []).map((part) => ({ part, within: always })) : []),
    ];
    for (const { part, within } of parts) {
      if (signal.aborted) return undefined;
      const some = await lookAtNote(looking, part, within, look, found);
      if (some === undefined) return undefined;
      looked += some;
    }
  }
  const unfinished = await stillUnfinished(looking, left.notes);
  await carry(context, queue, Math.floor(context.clock.now() / hourMs), unfinished);
  look.tell();
  return looked;
}

/** Most of what was unfinished at its last look has just ended by its lifetime. */
async function stillUnfinished({ context }: Looking, notes: readonly Required<Note>[]): Promise<Note[]> {
  const nowMs = context.clock.now();
  const left: Note[] = [];
  const batch = context.store.limits.batchItems;
  for (const { hour, ids } of notes) {
    const unfinished: TaskId[] = [];
    for (let from = 0; from < ids.length; from += batch) {
      const read = await readEach(ids.slice(from, from + batch), (some) => context.store.read(some, nowMs));
      for (const one of read) {
        if (one !== undefined && !(one instanceof HoldfastError) && !isEnded(one.head))
          unfinished.push(one.id);
      }
    }
    if (unfinished.length > 0) left.push({ hour, ids: unfinished });
  }
  return left;
}
