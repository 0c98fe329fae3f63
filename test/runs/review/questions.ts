/** The nine questions, in their order. */
import { crashedWorker } from './crash/crashed-worker.ts';
import type { Question } from './question.ts';
import { claimRace } from './race/claim-race.ts';
import { repeatedSubmission } from './submission/repeated-submission.ts';

export const questions: readonly Question[] = [repeatedSubmission, crashedWorker, claimRace];
