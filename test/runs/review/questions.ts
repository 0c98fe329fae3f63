/** The nine questions, in their order. */
import { firingAlert } from './alert/alert.ts';
import { errorBudget } from './budget/budget.ts';
import { crashedWorker } from './crash/crashed-worker.ts';
import { lintFailure } from './lint/lint-failure.ts';
import { lostTask } from './lost-task/lost-task.ts';
import type { Question } from './question.ts';
import { claimRace } from './race/claim-race.ts';
import { rollback } from './rollback/rollback.ts';
import { repeatedSubmission } from './submission/repeated-submission.ts';
import { throttling } from './throttling/throttling.ts';

export const questions: readonly Question[] = [
  repeatedSubmission,
  crashedWorker,
  claimRace,
  throttling,
  errorBudget,
  firingAlert,
  lostTask,
  lintFailure,
  rollback,
];
