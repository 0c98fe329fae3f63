import { lapsed, leaseSpentAtMs } from '../core/decision.ts';
import { dueAtMs, isEnded } from '../core/head.ts';
import { defaults } from '../core/limits.ts';
import type { Filter, QueueRef, Snapshot, TaskId } from '../ports/task-store.ts';
import { commitCommand, factsOf } from '../service/commit.ts';
import type { ServiceContext } from '../service/context.ts';
import { isLowest, ring } from '../service/hand-over.ts';
import { hourMs, leave, leftoversOf } from './leftovers.ts';

const minuteMs = 60_000;
const dayMs = 1_440 * minuteMs;

interface Look {
  readonly name: string;
  /** How old a submission is when it is looked at; the last look is just after its default lifetime. */
  readonly ageMs: number;
  /** How often the look moves on. */
  readonly everyMs: number;
}

const first: Look = { name: '10m', ageMs: 10 * minuteMs, everyMs: minuteMs };
export const looks: readonly Look[] = [
  first,
  { name: '1d', ageMs: dayMs, everyMs: hourMs },
  { name: '13d', ageMs: 13 * dayMs, everyMs: hourMs },
  { name: 'lifetime', ageMs: defaults.lifetimeMs + minuteMs, everyMs: minuteMs },
];
const kind = 'reconciled';

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
  if (context.store.can.bellsInCommit) return;
  if (head.state === 'running' && nowMs < leaseSpentAtMs(head)) return;
  if (head.waitUntilMs !== undefined && (dueAtMs(head) ?? 0) > nowMs) return;
  if (await isLowest(context, snapshot)) await ring(context, snapshot, head.version, 'again');
}

/** How a look went on: how many tasks it looked at; undefined: it was stopped. */
type Looked = number | undefined;

async function lookThrough(
  context: ServiceContext,
  { tenant, queue }: QueueRef,
  { fromMs, untilMs }: Range,
  signal: AbortSignal,
  found: (snapshot: Snapshot) => void = () => {},
): Promise<Looked> {
  let cursor: string | undefined;
  let looked = 0;
  const range = { acceptedFromMs: fromMs, acceptedUntilMs: untilMs };
  const filter: Filter = { tenant, queue, state: 'unfinished', ...range };
  do {
    const limit = context.store.limits.pageItems;
    const page = await context.store.list(filter, { limit, cursor, nowMs: context.clock.now() });
    for (const snapshot of page.items) {
      found(snapshot);
      await lookAt(context, snapshot);
    }
    looked += page.examined;
    cursor = page.cursor;
    if (signal.aborted) return undefined;
  } while (cursor !== undefined);
  return looked;
}

/** Of acceptance; `untilMs` is exclusive. */
interface Range {
  readonly fromMs: number;
  readonly untilMs: number;
}

/** The first look: at everything, with a note of what it left unfinished. */
async function lookFirst(
  context: ServiceContext,
  queue: QueueRef,
  range: Range,
  signal: AbortSignal,
): Promise<Looked> {
  const left = new Map<number, TaskId[]>();
  const looked = await lookThrough(context, queue, range, signal, ({ id, submission }) => {
    const hour = Math.floor(submission.acceptedAtMs / hourMs);
    left.set(hour, [...(left.get(hour) ?? []), id]);
  });
  for (const [hour, ids] of left) await leave(context.registry, queue, hour, ids);
  return looked;
}

/** A later look: only at what the first one left. */
async function lookAgain(
  context: ServiceContext,
  queue: QueueRef,
  { fromMs, untilMs }: Range,
  signal: AbortSignal,
): Promise<Looked> {
  let looked = 0;
  const firstHour = Math.floor(fromMs / hourMs);
  const lastHour = Math.floor((untilMs - 1) / hourMs);
  for (const { hour, ids } of await leftoversOf(context.registry, queue, firstHour, lastHour)) {
    if (signal.aborted) return undefined;
    const part: Range = {
      fromMs: Math.max(fromMs, hour * hourMs),
      untilMs: Math.min(untilMs, (hour + 1) * hourMs),
    };
    if (ids === undefined) {
      const through = await lookThrough(context, queue, part, signal);
      if (through === undefined) return undefined;
      looked += through;
      continue;
    }
    for (const snapshot of await context.store.read(ids, context.clock.now())) {
      const acceptedAtMs = snapshot?.submission.acceptedAtMs ?? 0;
      if (snapshot === undefined || acceptedAtMs < part.fromMs || acceptedAtMs >= part.untilMs) continue;
      looked++;
      await lookAt(context, snapshot);
    }
  }
  return looked;
}

/**
 * Looks at each submission when it is 10 minutes old and, where it was unfinished then, when it is a day and 13 days
 * old and just after its default lifetime, so that a bell lost by any crash is rung again. How far each look has come
 * is remembered per queue. Where nodes share a store, each looks at its own queues.
 */
export async function reconcile(
  context: ServiceContext,
  signal: AbortSignal,
  isMine: (queue: QueueRef) => boolean = () => true,
): Promise<boolean> {
  const markers = new Map((await context.registry.list(kind, '')).map((marker) => [marker.key, marker]));
  for (const queue of context.queues.all()) {
    // The last one first: what it still has to read, the first may write over once it is as far.
    for (const look of looks.toReversed()) {
      if (signal.aborted) return false;
      // Asked anew each time: a look takes long, and nodes come and go.
      if (!isMine(queue)) break;
      const key = `${look.name}/${queue.tenant}/${queue.queue}`;
      const marker = markers.get(key);
      const fromMs = typeof marker?.value === 'number' ? marker.value : 0;
      const untilMs = context.clock.now() - look.ageMs;
      if (untilMs < fromMs + look.everyMs) continue;
      const go = look === first ? lookFirst : lookAgain;
      const looked = await go(context, queue, { fromMs, untilMs }, signal);
      if (looked === undefined) return false;
      // Where nothing was, looking there again costs less than a note of it.
      if (looked === 0 && untilMs - fromMs < hourMs) continue;
      await context.registry.put(kind, key, untilMs, marker?.rev ?? 'absent');
    }
  }
  return false;
}
