import type { DeadReason } from '../task/event.ts';
import type { ExplainedTask } from './facts.ts';
import { lastEvent, lastWorkerOf, newestOf } from './last-event.ts';
import type { Verdict, VerdictCode } from './verdict.ts';
import { asEnd, times } from './words.ts';

const codeOfReason: Readonly<Record<DeadReason, VerdictCode>> = {
  attempts: 'DEAD_ATTEMPTS',
  fatal: 'DEAD_FATAL',
  deadline: 'DEAD_DEADLINE',
  lifetime: 'DEAD_LIFETIME',
  workerLost: 'DEAD_WORKER_LOST',
};

/** Returns how a task has ended. */
export function explainEnded(task: ExplainedTask): Verdict {
  const { id, head } = task;
  const sinceMs = head.endedAtMs ?? head.lastEventAtMs;
  if (head.state === 'succeeded') {
    const sentence = `Its handler returned a result in attempt ${head.attempt}.`;
    return {
      code: 'SUCCEEDED',
      sentence,
      sinceMs,
      evidence: { worker: lastWorkerOf(task) },
      next: `holdfast show ${id}`,
    };
  }
  if (head.state === 'cancelled') {
    const event = lastEvent(task, 'cancelled');
    // The worker, or the end of the lease, ends a task that runs; its actor is the one of the request.
    const actor = event?.actor || newestOf(task, 'cancelRequested')?.actor;
    const by = actor ? `Actor '${actor}' cancelled it` : 'It was cancelled';
    const because = event?.message ? `: ${asEnd(event.message)}` : '.';
    const evidence = actor ? { actor } : {};
    return {
      code: 'CANCELLED',
      sentence: `${by}${because}`,
      sinceMs,
      evidence,
      next: `holdfast show ${id} --history`,
    };
  }
  return { ...deathOf(task), sinceMs };
}

function deathOf(task: ExplainedTask): Omit<Verdict, 'sinceMs'> {
  const { id, head, submission } = task;
  const { maxAttempts } = submission.options.retry;
  const code = codeOfReason[head.deadReason ?? 'attempts'];
  const error = head.lastError === '' ? '' : ` The last error was: ${asEnd(head.lastError)}`;
  const evidence = { attempts: head.attempt, losses: head.losses, worker: lastWorkerOf(task) };
  const sentences: Readonly<Record<DeadReason, string>> = {
    attempts: `${maxAttempts === 1 ? 'Its only attempt' : `All ${head.attempt} of its ${maxAttempts} attempts`} failed.${error}`,
    fatal: `Its handler reported a failure that a further attempt would not mend: redrive it once the cause is fixed.${error}`,
    deadline: `Its deadline passed before it was complete.${error}`,
    lifetime: `Its lifetime ended before it was complete.${error}`,
    workerLost: `The process of its worker ended ${times(head.losses)} while it ran.${error}`,
  };
  const sentence = sentences[head.deadReason ?? 'attempts'];
  return { code, sentence, evidence, next: `holdfast redrive ${id}` };
}
