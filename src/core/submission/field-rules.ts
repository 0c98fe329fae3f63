/** The rules about the fields of a submission and of a progress report. The engines, the API and the SDK share them. */
import { limits } from '../limits.ts';
import { priorities } from '../priority.ts';
import {
  count,
  duration,
  type FieldRules,
  formatDuration,
  fraction,
  ifGiven,
  oneOf,
  text,
  time,
  utf8,
  whole,
} from '../rules.ts';
import type { Progress } from '../task/head.ts';
import type { Options, RetryPolicy } from './submission.ts';

export const typeVersion = whole(1, 0xffff_ffff);

export const retryRules = {
  maxAttempts: whole(1, limits.maxAttempts),
  baseMs: duration(0, limits.backoffMaxMs),
  factor: (factor: number) =>
    factor >= 1 && Number.isFinite(factor) ? undefined : `is ${factor}; at least 1`,
  maxMs: duration(0, limits.backoffMaxMs),
} satisfies FieldRules<RetryPolicy>;

export const tagCount = count(0, limits.tags, 'tags');
export const tag = utf8(limits.tagBytes);

export const optionRules = {
  runAtMs: ifGiven(time),
  deadlineAtMs: ifGiven(time),
  lifetimeMs: duration(1, limits.lifetimeMaxMs),
  retentionMs: duration(0, limits.retentionMaxMs),
  windowMs: duration(limits.windowMinMs, limits.windowMaxMs),
  priority: oneOf(priorities),
  attemptTimeoutMs: duration(1, limits.attemptTimeoutMaxMs),
  parentId: ifGiven(text(limits.keyChars, 'required')),
  whenDead: oneOf(['return', 'redrive']),
  maxLosses: whole(limits.lossesBeforeAlone + 1, limits.maxLosses),
} satisfies FieldRules<Omit<Options, 'ownLifetime' | 'retry' | 'tags'>>;

/** Checks that the scheduled start time of a task is at most `limits.runAheadMs` after the submission. */
export function aheadProblem(runAtMs: number, nowMs: number): string | undefined {
  return runAtMs > nowMs + limits.runAheadMs
    ? `is more than ${formatDuration(limits.runAheadMs)} ahead`
    : undefined;
}

export const progressRules = {
  fraction,
  note: text(limits.progressNoteChars),
} satisfies FieldRules<Progress>;
