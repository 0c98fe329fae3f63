/** Converts the verdicts of the server to the objects that the SDK returns. */
import { type VerdictCode, verdictCodes } from '../../core/explain/verdict.ts';
import type {
  ExplainTaskResponse,
  ListTroubleResponse,
  VerdictCode as WireCode,
} from '../../rpc/gen/holdfast/v1/task_service_pb.ts';
import { statusOf, type TaskStatus } from './status.ts';

export type { VerdictCode };

/** The answer to "why has this task not completed?", or how it ended. */
export interface Explanation {
  /** The cause, for programs. It is `UNKNOWN` if a newer server sends a code that this SDK does not know. */
  readonly verdict: VerdictCode | 'UNKNOWN';
  /** One sentence for people, in English. */
  readonly sentence: string;
  /** The time since which the cause holds; undefined if it is not known. */
  readonly since: Date | undefined;
  /** The time at which the cause ends by itself at the latest; undefined if it is not known, or if it does not. */
  readonly until: Date | undefined;
  /** The ids, workers and numbers that show the cause, by their names. */
  readonly evidence: Readonly<Record<string, string>>;
  /** The command that shows more or ends the cause; undefined if nothing need be done. */
  readonly next: string | undefined;
  /** The time of the server at which the cause held. */
  readonly at: Date;
  /** The status of the task as it was read for the verdict, without its input and its result. */
  readonly task: TaskStatus;
}

/** Unfinished tasks of one queue that wait, or have stopped, for one cause; or a cause that concerns no task yet. */
export interface TroubleGroup {
  /** The cause, for programs. It is `UNKNOWN` if a newer server sends a code that this SDK does not know. */
  readonly verdict: VerdictCode | 'UNKNOWN';
  /** The queue; undefined if the cause concerns no queue alone. */
  readonly queue: string | undefined;
  /** One sentence for people, in English, with the number of tasks. */
  readonly sentence: string;
  /** The number of tasks. It is 0 for a paused queue, or a dependency that fails or is full, while no task waits for it. */
  readonly count: number;
  /** The five tasks that were accepted first. */
  readonly oldestIds: readonly string[];
  /** Since when the cause holds for the first of the tasks, or since when that task waits; undefined if it is not known. */
  readonly since: Date | undefined;
  /** The ids, workers and numbers that show the cause, by their names. */
  readonly evidence: Readonly<Record<string, string>>;
  /** The command that shows more or ends the cause. */
  readonly next: string | undefined;
}

/** The unfinished tasks of some queues: those in trouble in groups by their cause, the others counted by their verdict. */
export interface Trouble {
  /** At most 50 groups: a dependency that fails or is full first, then the groups with the most tasks. */
  readonly groups: readonly TroubleGroup[];
  /** The number of groups that were left out, because there are more than 50. */
  readonly moreGroups: number;
  /** The numbers of the unfinished tasks that are in no trouble, by their verdict. */
  readonly healthy: Readonly<Partial<Record<VerdictCode | 'UNKNOWN', number>>>;
  /** The number of tasks that were examined, also those that have ended. */
  readonly examined: number;
  /** The number of unfinished tasks that have a verdict: those of the groups and the healthy ones. */
  readonly explained: number;
  /** The number of unfinished tasks without a verdict, because their ordering keys were more than one call reads. */
  readonly unexplained: number;
  /** The queues with older tasks that were not examined: every number is then a lower bound. */
  readonly cutQueues: readonly { readonly queue: string; readonly examinedUntil: Date | undefined }[];
  /** True if every worker is known. Otherwise it is not known that no worker handles a type. */
  readonly areWorkersComplete: boolean;
  /** The time of the server at which the tasks were examined. */
  readonly at: Date;
}

const codeOf = (code: WireCode): VerdictCode | 'UNKNOWN' => verdictCodes[code] ?? 'UNKNOWN';
const timeOf = (ms: bigint): Date | undefined => (ms === 0n ? undefined : new Date(Number(ms)));

/** Converts the answer of ExplainTask. Returns undefined if it has no task or no verdict. */
export function explanationOf({ task, verdict, atMs }: ExplainTaskResponse): Explanation | undefined {
  if (task === undefined || verdict === undefined) return undefined;
  const { code, sentence, sinceMs, untilMs, evidence, nextCommand } = verdict;
  return {
    verdict: codeOf(code),
    sentence,
    since: timeOf(sinceMs),
    until: timeOf(untilMs),
    evidence,
    next: nextCommand || undefined,
    at: new Date(Number(atMs)),
    task: statusOf(task),
  };
}

/** Converts the answer of ListTrouble. */
export function troubleOf(answer: ListTroubleResponse): Trouble {
  const { groups, moreGroups, healthy, examined, explained, unexplained, cutQueues } = answer;
  return {
    groups: groups.map(({ code, queue, sentence, count, oldestIds, sinceMs, evidence, nextCommand }) => ({
      ...{ verdict: codeOf(code), queue: queue || undefined, sentence, count, oldestIds },
      ...{ since: timeOf(sinceMs), evidence, next: nextCommand || undefined },
    })),
    moreGroups,
    healthy: Object.fromEntries(healthy.map(({ code, count }) => [codeOf(code), count])),
    ...{ examined, explained, unexplained },
    cutQueues: cutQueues.map(({ queue, examinedUntilMs }) => ({
      queue,
      examinedUntil: timeOf(examinedUntilMs),
    })),
    areWorkersComplete: !answer.incompleteWorkers,
    at: new Date(Number(answer.atMs)),
  };
}
