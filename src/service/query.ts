import type { TaskEvent } from '../core/event.ts';
import { evolve } from '../core/evolve.ts';
import type { Head } from '../core/head.ts';
import { shownState } from '../core/head.ts';
import type { Scope } from '../core/submission.ts';
import type { Snapshot } from '../ports/task-store.ts';
import { readOf } from './commit.ts';
import type { ServiceContext } from './context.ts';
import { laneOf } from './hand-over.ts';
import { notFound } from './rejections.ts';
import type { TaskView, WatchUpdate } from './service.ts';

/** Where other nodes write the same store a watch looks again this often, slower while nothing happens. */
const pollFirstMs = 250;
const pollLongestMs = 5_000;
const pageLimit = 1_000;

export async function view(
  context: ServiceContext,
  snapshot: Snapshot,
  withResult: boolean,
): Promise<TaskView> {
  const lane = laneOf(snapshot);
  const lowest =
    lane !== undefined && snapshot.head.state === 'waiting' ? await context.store.lowest(lane) : undefined;
  return {
    snapshot,
    result: withResult ? await context.store.result(snapshot.id) : undefined,
    waitingFor: lowest === undefined || lowest.id === snapshot.id ? undefined : lowest.id,
  };
}

export async function get(
  context: ServiceContext,
  tenant: string,
  id: string,
  withResult: boolean,
): Promise<TaskView> {
  const snapshot = await readOf(context, tenant, id);
  if (snapshot === undefined) throw notFound(id);
  return view(context, snapshot, withResult);
}

export async function getByKey(
  context: ServiceContext,
  scope: Scope,
  withResult: boolean,
): Promise<TaskView> {
  const snapshot = await context.store.byKey(scope, context.clock.now());
  if (snapshot === undefined) throw notFound(`${scope.queue}/${scope.key}`);
  return view(context, snapshot, withResult);
}

export async function history(
  context: ServiceContext,
  tenant: string,
  id: string,
  fromVersion: number,
): Promise<readonly TaskEvent[]> {
  if ((await readOf(context, tenant, id)) === undefined) throw notFound(id);
  return context.store.history(id, fromVersion);
}

function changeOf(
  context: ServiceContext,
  id: string,
  signal: AbortSignal,
): { next(idleMs: number): Promise<void>; stop(): void } {
  let changed = false;
  let wake: (() => void) | undefined;
  const stop = context.feed.subscribe(id, () => {
    changed = true;
    wake?.();
  });
  const aborted = (): void => wake?.();
  signal.addEventListener('abort', aborted);
  return {
    async next(idleMs) {
      if (!changed && !signal.aborted) {
        await new Promise<void>((resolve) => {
          wake = resolve;
          if (context.store.can.sharedWriters) void context.clock.sleep(idleMs, signal).then(resolve);
        });
      }
      wake = undefined;
      changed = false;
    },
    stop() {
      stop();
      signal.removeEventListener('abort', aborted);
    },
  };
}

/** Events after `fromVersion`, each with the state after it, then those to come; ends with the task. */
export async function* watch(
  context: ServiceContext,
  tenant: string,
  id: string,
  fromVersion: number,
  signal: AbortSignal,
): AsyncGenerator<WatchUpdate> {
  const changes = changeOf(context, id, signal);
  let head: Head | undefined;
  let progress: unknown;
  let idleMs = pollFirstMs;
  try {
    for (;;) {
      const snapshot = await readOf(context, tenant, id);
      if (snapshot === undefined) throw notFound(id);
      const events = await context.store.history(id, head?.version ?? 0);
      for (const event of events.slice(0, pageLimit)) {
        head = evolve(head, event);
        if (head.version > fromVersion)
          yield { kind: 'event', version: head.version, event, state: shownState(head) };
      }
      const now = snapshot.head.progress;
      if (now !== undefined && now !== progress && snapshot.head.version === head?.version) {
        progress = now;
        yield { kind: 'progress', progress: now };
      }
      if (
        head !== undefined &&
        (head.state === 'succeeded' || head.state === 'dead' || head.state === 'cancelled')
      )
        return;
      if (signal.aborted) return;
      idleMs = events.length > 0 ? pollFirstMs : Math.min(idleMs * 2, pollLongestMs);
      await changes.next(idleMs);
      if (signal.aborted) return;
    }
  } finally {
    changes.stop();
  }
}
