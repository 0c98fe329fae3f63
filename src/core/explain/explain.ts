import { explainEnded } from './ended.ts';
import type { ExplainedTask, ExplainFacts } from './facts.ts';
import { explainHeld } from './held.ts';
import type { Verdict } from './verdict.ts';
import { explainWaiting } from './waiting.ts';

/**
 * Returns the one cause for which a task has not completed, or how it has ended. Where several causes hold at once, the
 * verdict names the one that must end first: a full disk before an operator's pause, a pause before a missing worker,
 * a missing worker before a full one.
 */
export function explain(task: ExplainedTask, facts: ExplainFacts): Verdict {
  if (task.head.state === 'waiting') return explainWaiting(task, facts);
  if (task.head.state === 'running') return explainHeld(task, facts);
  return explainEnded(task);
}
