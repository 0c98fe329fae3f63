import { timing } from '../limits.ts';
import { runsAlone } from '../task/head.ts';
import type { ExplainedTask, ExplainFacts } from './facts.ts';
import { newestOf } from './last-event.ts';
import type { Verdict } from './verdict.ts';
import { lengthOf } from './words.ts';

/** A worker is silent if no heartbeat came for this time in ms: the interval of heartbeats and a delay that is usual. */
const silentFromMs = timing.heartbeatMs + 2_000;

/** Returns why a task that a worker holds has not completed. */
export function explainHeld(task: ExplainedTask, facts: ExplainFacts): Verdict {
  const { head } = task;
  const { nowMs } = facts;
  const { worker, fencingToken, attempt } = head;
  const claimed = newestOf(task, 'claimed');
  const sinceMs = claimed?.atMs;
  const evidence = { worker, fencingToken, attempt };
  const leaseEndAtMs = head.leaseEndAtMs ?? nowMs;
  if (leaseEndAtMs <= nowMs) return withoutLease(task, facts, leaseEndAtMs);
  // Another node may have taken a later heartbeat, which the end of the lease shows.
  const silentMs = nowMs - Math.max(facts.lastHeartbeatAtMs ?? 0, leaseEndAtMs - timing.leaseMs);
  const isSilent = silentMs > silentFromMs;
  if (head.cancelRequested) return cancelPending(task, { nowMs, silentMs: isSilent ? silentMs : undefined });
  const isBegun = head.begun || facts.begun;
  if (isSilent) {
    const does = isBegun ? 'runs it' : 'has fetched it';
    const sentence = `Worker ${worker} ${does}, and has sent no heartbeat for ${lengthOf(silentMs)}. Unless one comes, the task runs elsewhere in ${lengthOf(leaseEndAtMs - nowMs)}.`;
    return {
      code: 'RUNNING_SILENT',
      sentence,
      sinceMs: nowMs - silentMs,
      untilMs: leaseEndAtMs,
      evidence,
      next: 'holdfast workers',
    };
  }
  if (!isBegun) return notBegun(task, sinceMs);
  const progress =
    head.progress === undefined
      ? ''
      : ` (${Math.round(head.progress.fraction * 100)} % done${head.progress.note === '' ? '' : `: ${head.progress.note}`})`;
  const since = sinceMs === undefined ? '' : ` for ${lengthOf(nowMs - sinceMs)}`;
  const sentence = `Worker ${worker} has run its attempt ${attempt}${since}${progress}.`;
  return { code: 'RUNNING', sentence, sinceMs, untilMs: head.timeoutAtMs, evidence, next: '' };
}

/** A worker that is silent knows nothing of the request: it may have ended. The task is then cancelled when its lease ends. */
function cancelPending(
  task: ExplainedTask,
  { nowMs, silentMs }: { readonly nowMs: number; readonly silentMs: number | undefined },
): Verdict {
  const { id, head } = task;
  const { worker, fencingToken, attempt, leaseEndAtMs = nowMs } = head;
  const request = newestOf(task, 'cancelRequested');
  const by = request?.actor
    ? `Actor '${request.actor}' requested its cancellation`
    : 'Its cancellation was requested';
  const sentence =
    silentMs === undefined
      ? `${by}; worker ${worker} gets the request with its next heartbeat at the latest, and has not ended it yet.`
      : `${by}; worker ${worker} has sent no heartbeat for ${lengthOf(silentMs)}. Unless one comes, the task is cancelled in ${lengthOf(leaseEndAtMs - nowMs)}.`;
  return {
    code: 'CANCEL_ASKED',
    sentence,
    sinceMs: request?.atMs,
    untilMs: silentMs === undefined ? head.timeoutAtMs : leaseEndAtMs,
    evidence: { worker, fencingToken, attempt },
    next: `holdfast show ${id} --history`,
  };
}

/** The lease is over: the task comes back, or waits until the worker has had time to renew it with a server that was down. */
function withoutLease({ head }: ExplainedTask, facts: ExplainFacts, leaseEndAtMs: number): Verdict {
  const { nowMs, noExpiryBeforeMs } = facts;
  const evidence = { worker: head.worker, fencingToken: head.fencingToken, attempt: head.attempt };
  if (noExpiryBeforeMs !== undefined && noExpiryBeforeMs > nowMs) {
    const sentence = `A server has just started, or stood still. It takes no task away from worker ${head.worker} for another ${lengthOf(noExpiryBeforeMs - nowMs)}.`;
    return {
      code: 'SERVER_GRACE',
      sentence,
      sinceMs: leaseEndAtMs,
      untilMs: noExpiryBeforeMs,
      evidence,
      next: '',
    };
  }
  const sentence = `Worker ${head.worker} has not renewed its lease, which ended ${lengthOf(nowMs - leaseEndAtMs)} ago. The task runs elsewhere within seconds.`;
  const untilMs = leaseEndAtMs + timing.clockGuardMs + timing.sweepMs;
  return { code: 'LEASE_LOST', sentence, sinceMs: leaseEndAtMs, untilMs, evidence, next: 'holdfast workers' };
}

function notBegun({ head }: ExplainedTask, sinceMs: number | undefined): Verdict {
  const { worker, fencingToken, losses } = head;
  if (runsAlone(head)) {
    const sentence = `It has lost ${losses} workers, so worker ${worker} calls its handler once nothing else runs in its process.`;
    const untilMs = sinceMs === undefined ? undefined : sinceMs + timing.aloneStartMs;
    return {
      code: 'RUNS_ALONE',
      sentence,
      sinceMs,
      untilMs,
      evidence: { worker, fencingToken, losses },
      next: 'holdfast workers',
    };
  }
  const sentence = `Worker ${worker} has fetched it and has not called its handler yet. It gives the task back if it has no free slot within ${lengthOf(timing.prefetchStartMs)}.`;
  const untilMs = sinceMs === undefined ? undefined : sinceMs + timing.prefetchStartMs;
  return {
    code: 'RESERVED',
    sentence,
    sinceMs,
    untilMs,
    evidence: { worker, fencingToken },
    next: 'holdfast workers',
  };
}
