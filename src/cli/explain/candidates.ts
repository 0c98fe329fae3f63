import { listTasks } from '../../client/tasks/list-tasks.ts';
import type { Transport } from '../../client/transport.ts';
import { clipChars } from '../../core/clip.ts';
import { HoldfastError } from '../../core/errors.ts';
import { forTenant } from '../../core/explain/words.ts';
import { limits } from '../../core/limits.ts';
import { type Task, TaskState } from '../../rpc/gen/holdfast/v1/task_pb.ts';
import { TaskService } from '../../rpc/gen/holdfast/v1/task_service_pb.ts';
import { table, time } from '../output.ts';
import { taskJson } from '../text/task-text.ts';
import type { SubmittedAt } from './submitted-at.ts';
import { codeOf } from './why-text.ts';

/** The most candidates that are listed with their verdicts. */
const mostCandidates = 20;
/** The ExplainTask calls that are made at the same time. */
const explainedAtOnce = 5;
/** The most tasks of a time that are read to find the candidates among them. */
const mostRead = 1_000;
/** The most characters of a sentence in the table. */
const shownChars = 100;

/** Tasks that fit what a user knows, the likeliest first. */
export interface Found {
  readonly tasks: readonly Task[];
  /** How many tasks fit; a lower bound if `isCut`. */
  readonly count: number;
  readonly isCut: boolean;
}

const ended: ReadonlySet<TaskState> = new Set([TaskState.SUCCEEDED, TaskState.DEAD, TaskState.CANCELLED]);

interface QueueOfTasks {
  readonly tenant: string;
  readonly queue: string;
}

const anyTask = { state: 0, retrying: false, type: '', tag: '', orderingKey: '' } as const;

async function readAll(
  transport: Transport,
  filter: QueueOfTasks & {
    readonly orderingKey?: string;
    readonly fromMs?: number;
    readonly untilMs?: number;
  },
  most: number,
): Promise<{ readonly tasks: Task[]; readonly isCut: boolean }> {
  const { fromMs = 0, untilMs = 0, ...rest } = filter;
  const range = { acceptedFromMs: BigInt(fromMs), acceptedUntilMs: BigInt(untilMs) };
  const tasks: Task[] = [];
  for (let pageToken = ''; ; ) {
    const request = { ...anyTask, ...rest, ...range, pageSize: limits.pageItems, pageToken };
    const page = await listTasks(request, (one) => transport.call(TaskService.method.listTasks, one, {}));
    tasks.push(...page.tasks);
    pageToken = page.nextPageToken;
    if (pageToken === '') return { tasks, isCut: false };
    if (page.isCut || tasks.length >= most) return { tasks, isCut: true };
  }
}

/** Returns the tasks of a queue that were accepted about a time: unfinished ones first, then the nearest in time. */
export async function tasksOfTime(transport: Transport, of: QueueOfTasks, at: SubmittedAt): Promise<Found> {
  const { fromMs, untilMs, atMs } = at;
  const { tasks, isCut } = await readAll(transport, { ...of, fromMs, untilMs }, mostRead);
  const rank = ({ state }: Task): number => (ended.has(state) ? 1 : 0);
  const distanceMs = ({ acceptedAtMs }: Task): number => Math.abs(Number(acceptedAtMs) - atMs);
  tasks.sort((one, other) => rank(one) - rank(other) || distanceMs(one) - distanceMs(other));
  const near = `between ${time(fromMs)} and ${time(untilMs)}`;
  if (tasks.length === 0) throw noTask(`No task of queue '${of.queue}' was accepted ${near}.`, at.zone);
  return { tasks: tasks.slice(0, mostCandidates), count: tasks.length, isCut };
}

/** Returns the unfinished tasks of an ordering key in their order. */
export async function tasksOfLane(
  transport: Transport,
  of: QueueOfTasks,
  orderingKey: string,
): Promise<Found> {
  const { tasks, isCut } = await readAll(transport, { ...of, orderingKey }, mostCandidates + 1);
  if (tasks.length === 0)
    throw noTask(
      `No unfinished task of queue '${of.queue}' has the ordering key '${orderingKey}'.`,
      undefined,
    );
  return { tasks: tasks.slice(0, mostCandidates), count: tasks.length, isCut };
}

function noTask(message: string, zone: string | undefined): HoldfastError {
  const assumed = zone === undefined ? '' : ` The time was taken as one of this machine's zone, ${zone}.`;
  return new HoldfastError('NOT_FOUND', 'TASK_NOT_FOUND', message, {
    help: `Check the queue and the time; tasks are deleted after their retention.${assumed}`,
  });
}

interface Candidate {
  readonly task: Task;
  readonly code: string;
  readonly sentence: string;
}

/** Reads the verdict of each candidate, of a few at the same time. A task that is deleted meanwhile has none. */
export async function verdictsOf(
  transport: Transport,
  { tasks }: Found,
  tenant: string,
): Promise<readonly Candidate[]> {
  const candidates: Candidate[] = [];
  for (let begin = 0; begin < tasks.length; begin += explainedAtOnce) {
    const some = tasks.slice(begin, begin + explainedAtOnce);
    candidates.push(...(await Promise.all(some.map((task) => verdictOf(transport, task, tenant)))));
  }
  return candidates;
}

async function verdictOf(transport: Transport, task: Task, tenant: string): Promise<Candidate> {
  const answer = await transport
    .call(TaskService.method.explainTask, { id: task.id, tenant }, {})
    .catch((thrown: HoldfastError) => {
      if (thrown.reason === 'TASK_NOT_FOUND') return undefined;
      throw thrown;
    });
  const verdict = answer?.verdict;
  if (verdict === undefined) return { task, code: 'GONE', sentence: '' };
  return { task, code: codeOf(verdict), sentence: verdict.sentence };
}

type Candidates = readonly Candidate[];

/** Cuts a sentence, and shows that: without a mark the rest of a number would be missed. */
function inShort(sentence: string): string {
  return sentence.length <= shownChars ? sentence : `${clipChars(sentence, shownChars - 1)}…`;
}

export function candidatesText(candidates: Candidates): string {
  const rows = candidates.map(({ task, code, sentence }) => [
    task.id,
    code,
    task.spec?.type ?? '',
    time(task.acceptedAtMs),
    inShort(sentence),
  ]);
  return table(['ID', 'VERDICT', 'TYPE', 'ACCEPTED', 'WHY'], rows);
}

export function candidatesJson(candidates: Candidates, { count, isCut }: Found): Record<string, unknown> {
  const list = candidates.map(({ task, code, sentence }) => ({
    verdict: code,
    sentence,
    task: taskJson(task),
  }));
  return { candidates: list, count, isCut };
}

/** Returns the sentence that says how many more tasks fit, and the one that says how to go on. */
export function candidateNotes({ tasks, count, isCut }: Found, tenant: string): string[] {
  const all = isCut ? `At least ${count.toLocaleString('en')}` : count.toLocaleString('en');
  const more = count > tasks.length || isCut ? [`${all} tasks fit; ${tasks.length} of them are shown.`] : [];
  return [...more, `One of them: ${forTenant('holdfast why <id>', tenant)}`];
}
