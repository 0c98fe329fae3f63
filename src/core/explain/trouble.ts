import type { Submission } from '../submission/submission.ts';
import type { ExplainedTask, FullStoreFact, PauseFact, ThrottleFact } from './facts.ts';
import { type Trouble, troubleSentence } from './trouble-sentence.ts';
import type { Verdict, VerdictCode } from './verdict.ts';

/** The number of tasks that a group names. */
const namedTasks = 5;
/** The most characters of an error by which failed tasks are grouped. */
const errorChars = 120;

/** How long, in ms, a task may wait for workers that are full before this counts as trouble. */
const fullForMs = 5_000;
/** How long, in ms, a running task may go on after its cancellation was requested before this counts as trouble. */
const cancelForMs = 30_000;

/** The verdicts on unfinished tasks for which an operator need do nothing. */
const healthy: ReadonlySet<VerdictCode> = new Set([
  ...(['NOT_DUE', 'SNOOZED', 'LANE_WAITS', 'STARTING', 'RESERVED', 'RUNNING'] as const),
  ...(['SUCCEEDED', 'CANCELLED', 'DEAD_ATTEMPTS', 'DEAD_FATAL', 'DEAD_DEADLINE'] as const),
  ...(['DEAD_LIFETIME', 'DEAD_WORKER_LOST'] as const),
]);

/** The verdicts on a dependency of the server, which are listed before all others. */
const dependencyCodes: ReadonlySet<VerdictCode> = new Set(['STORE_FULL', 'STORE_THROTTLED']);

/** Returns true if an operator may have to act on a task with this verdict. */
export function isTrouble({ code, sinceMs }: Verdict, nowMs: number): boolean {
  if (healthy.has(code)) return false;
  const forMs = nowMs - (sinceMs ?? nowMs);
  if (code === 'WORKERS_FULL') return forMs >= fullForMs;
  return code !== 'CANCEL_ASKED' || forMs >= cancelForMs;
}

/** Returns an error as a text that is the same for tasks which fail alike: its first line, without the numbers in it. */
function errorKind(error: unknown): string {
  const [line = ''] = String(error).split('\n');
  return line.slice(0, errorChars).replaceAll(/\d+/g, '#');
}

/** Returns the values, beside the code and the queue, that all tasks of one group have in common. */
function commonOf(
  { type, typeVersion, orderingKey }: Submission,
  { code, evidence }: Verdict,
): readonly unknown[] {
  switch (code) {
    case 'NO_WORKER_FOR_TYPE':
    case 'WORKERS_FULL':
    case 'RUNS_ALONE':
      return [type];
    case 'NO_WORKER_FOR_VERSION':
      return [type, typeVersion];
    case 'BACKOFF':
      return [type, errorKind(evidence.error)];
    case 'LANE_HELD_BY_DEAD':
      return [orderingKey, evidence.blockedByTaskId];
    case 'RUNNING_SILENT':
    case 'LEASE_LOST':
    case 'CANCEL_ASKED':
      return [evidence.worker];
    case 'STORE_THROTTLED':
      return [evidence.dependency];
    default:
      return [];
  }
}

/** As much of a task as a group keeps: its payload may be large. */
interface GroupedTask
  extends Pick<Submission, 'type' | 'typeVersion' | 'orderingKey' | 'acceptedAtMs'>,
    Pick<Verdict, 'code' | 'sentence' | 'evidence' | 'next'> {
  readonly id: string;
  readonly queue: string;
}

interface Group {
  count: number;
  readonly oldest: GroupedTask[];
  sinceMs: number;
}

/** A cause that holds whether or not a task waits for it. */
interface Standing extends Pick<Verdict, 'code' | 'sinceMs' | 'evidence' | 'next'> {
  /** Empty if the cause concerns no queue alone. */
  readonly queue: string;
}

/** The unfinished tasks of some queues: those in trouble in groups by their cause, the others counted by their verdict. */
export class TroubleGroups {
  readonly #groups = new Map<string, Group>();
  readonly #standing: Standing[] = [];
  readonly #healthy = new Map<VerdictCode, number>();

  /** The numbers of the tasks that are in no trouble. */
  get healthy(): ReadonlyMap<VerdictCode, number> {
    return this.#healthy;
  }

  add(task: ExplainedTask, verdict: Verdict, nowMs: number): void {
    const { code } = verdict;
    if (!isTrouble(verdict, nowMs)) {
      this.#healthy.set(code, (this.#healthy.get(code) ?? 0) + 1);
      return;
    }
    const { submission } = task;
    const key = JSON.stringify([code, submission.scope.queue, ...commonOf(submission, verdict)]);
    const group = this.#groups.get(key) ?? { count: 0, oldest: [], sinceMs: nowMs };
    this.#groups.set(key, group);
    const { type, typeVersion, orderingKey, acceptedAtMs, scope } = submission;
    group.count++;
    group.sinceMs = Math.min(group.sinceMs, verdict.sinceMs ?? acceptedAtMs);
    const place = group.oldest.findLastIndex((one) => one.acceptedAtMs <= acceptedAtMs) + 1;
    if (place >= namedTasks) return;
    const { sentence, evidence, next } = verdict;
    const kept = { id: task.id, queue: scope.queue, type, typeVersion, orderingKey, acceptedAtMs };
    group.oldest.splice(place, 0, { ...kept, code, sentence, evidence, next });
    group.oldest.length = Math.min(group.oldest.length, namedTasks);
  }

  /** Adds a queue that is paused. It is listed alone only if none of its tasks waits for the pause. */
  addPausedQueue(queue: string, pause: PauseFact | undefined): void {
    const evidence = { queue, ...(pause && { actor: pause.actor }) };
    const next = `holdfast queues resume ${queue}`;
    this.#standing.push({ code: 'QUEUE_PAUSED', queue, sinceMs: pause?.sinceMs, evidence, next });
  }

  /** Adds a dependency that refuses or fails calls. It is listed alone only if no task waits for it. */
  addThrottle({ dependency, sinceMs }: ThrottleFact): void {
    this.#standing.push({ code: 'STORE_THROTTLED', queue: '', sinceMs, evidence: { dependency }, next: '' });
  }

  /** Adds a store whose disk is full. It is listed alone only if no task waits for it. */
  addFullStore({ sinceMs, neededBytes }: FullStoreFact): void {
    this.#standing.push({ code: 'STORE_FULL', queue: '', sinceMs, evidence: { neededBytes }, next: '' });
  }

  /** Returns the groups: a dependency that fails first, then the groups with the most tasks. */
  list(nowMs: number): readonly Trouble[] {
    const groups = [...this.#groups.values()].map((group) => troubleOf(group, nowMs));
    const isListed = ({ code, queue }: Standing): boolean =>
      groups.some((one) => one.code === code && (queue === '' || one.queue === queue));
    for (const standing of this.#standing)
      if (!isListed(standing)) groups.push(standingTrouble(standing, nowMs));
    const rank = ({ code }: Trouble): number => (dependencyCodes.has(code) ? 0 : 1);
    return groups.sort(
      (one, other) =>
        rank(one) - rank(other) || other.count - one.count || (one.sinceMs ?? 0) - (other.sinceMs ?? 0),
    );
  }
}

function troubleOf({ count, oldest, sinceMs }: Group, nowMs: number): Trouble {
  const [first] = oldest as [GroupedTask, ...GroupedTask[]];
  const { id, code, queue, evidence, next } = first;
  return {
    ...{ code, queue, sentence: troubleSentence(first, { ...first, count, sinceMs, nowMs }), count },
    ...{ oldestIds: oldest.map((task) => task.id), sinceMs, evidence },
    next: next === '' ? `holdfast why ${id}` : next,
  };
}

function standingTrouble({ code, queue, sinceMs, evidence, next }: Standing, nowMs: number): Trouble {
  const noTasks = { count: 0, queue, type: '', typeVersion: 0, orderingKey: undefined };
  const sentence = troubleSentence(
    { code, evidence, sentence: '' },
    { ...noTasks, sinceMs: sinceMs ?? nowMs, nowMs },
  );
  return { code, queue, sentence, count: 0, oldestIds: [], sinceMs, evidence, next };
}
