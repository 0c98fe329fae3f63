import type { Verdict, VerdictCode } from './verdict.ts';
import { asEnd, fullStoreText, lengthOf } from './words.ts';

/** Unfinished tasks of one queue with one cause; or a cause that concerns no task yet. */
export interface Trouble {
  readonly code: VerdictCode;
  /** Empty if the cause concerns no queue alone. */
  readonly queue: string;
  readonly sentence: string;
  readonly count: number;
  /** The tasks that were accepted first, at most five. */
  readonly oldestIds: readonly string[];
  /** Since when the cause holds for the first of the tasks, or else since when that task waits. */
  readonly sinceMs: number | undefined;
  /** The evidence of the verdict on the oldest task. */
  readonly evidence: Verdict['evidence'];
  readonly next: string;
}

/** The tasks of a group, as its sentence needs them. */
export interface TroubleTasks {
  readonly count: number;
  readonly queue: string;
  readonly type: string;
  readonly typeVersion: number;
  readonly orderingKey: string | undefined;
  readonly sinceMs: number;
  readonly nowMs: number;
}

function some(count: number): string {
  return count === 1 ? '1 task' : `${count.toLocaleString('en')} tasks`;
}

function verb(count: number, one: string, more: string): string {
  return count === 1 ? one : more;
}

/** Returns one sentence about the tasks of a group. */
export function troubleSentence(
  { code, sentence, evidence }: Pick<Verdict, 'code' | 'sentence' | 'evidence'>,
  tasks: TroubleTasks,
): string {
  const { count, queue, type, typeVersion, orderingKey = '', sinceMs, nowMs } = tasks;
  const { worker, workers } = evidence;
  const wait = `${some(count)} ${verb(count, 'waits', 'wait')}`;
  const ofType = `${some(count)} of type '${type}'`;
  const typeWaits = `${ofType} ${verb(count, 'waits', 'wait')}`;
  const forLong = lengthOf(nowMs - sinceMs);
  switch (code) {
    case 'QUEUE_PAUSED': {
      const by =
        evidence.actor === undefined ? 'is paused' : `was paused ${forLong} ago by ${evidence.actor}`;
      return `Queue '${queue}' ${by}: ${wait}.`;
    }
    case 'NO_WORKER':
      return `${wait}: no worker takes tasks of queue '${queue}'.`;
    case 'NO_WORKER_FOR_TYPE':
      return `${typeWaits}: no worker of queue '${queue}' handles this type.`;
    case 'NO_WORKER_FOR_VERSION':
      return `${typeWaits}: no worker handles version ${typeVersion} (the newest handled is ${evidence.newestHandled}).`;
    case 'LANE_HELD_BY_DEAD':
      return `Lane '${orderingKey}' of queue '${queue}' is held by dead task ${evidence.blockedByTaskId}: ${wait}.`;
    case 'WORKERS_FULL':
      return `${typeWaits} for a free slot: ${Number(workers) === 1 ? 'the only worker that handles it is' : `all ${workers} workers that handle it are`} full.`;
    case 'BACKOFF': {
      if (evidence.error === undefined || evidence.error === '')
        return `${typeWaits} for a next attempt, after a worker ended or gave ${verb(count, 'it', 'them')} back.`;
      return `${ofType} failed and ${verb(count, 'waits', 'wait')} for a next attempt: ${asEnd(String(evidence.error))}`;
    }
    case 'RUNNING_SILENT':
      return `${some(count)} ${verb(count, 'is', 'are')} held by worker ${worker}, which has sent no heartbeat for up to ${forLong}.`;
    case 'LEASE_LOST':
      return `${some(count)} ${verb(count, 'waits', 'wait')} to run elsewhere: worker ${worker} has not renewed ${verb(count, 'its lease', 'their leases')}.`;
    case 'SERVER_GRACE':
      return `${some(count)} of queue '${queue}' ${verb(count, 'waits', 'wait')} for a heartbeat, since a server has just started or stalled.`;
    case 'CANCEL_ASKED':
      return `${some(count)} of worker ${worker} ${verb(count, 'goes', 'go')} on although cancelled, for up to ${forLong}.`;
    case 'MESSAGE_LOST':
      return `${some(count)} of queue '${queue}' ${verb(count, 'has', 'have')} no message that makes a worker look at ${verb(count, 'it', 'them')}.`;
    case 'RUNS_ALONE':
      return `${ofType} ${verb(count, 'has', 'have')} lost workers and ${verb(count, 'waits', 'wait')} until nothing else runs in the process of one.`;
    case 'STORE_THROTTLED':
      return `${evidence.dependency} refuses or fails calls: ${wait}.`;
    case 'STORE_FULL':
      return `${fullStoreText(Number(evidence.neededBytes))}: ${wait}.`;
    default:
      return `${some(count)}: ${sentence}`;
  }
}
