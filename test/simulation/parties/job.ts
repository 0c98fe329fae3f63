import { defineTask, type TaskType, typed } from '../../../src/client/contract/task.ts';
import type { SubmitOptions } from '../../../src/client/submit/submit-options.ts';
import type { World } from '../world.ts';

/** The input of a simulated task: a number that identifies the task. The worker chooses the outcome of each attempt. */
export interface JobInput {
  readonly n: number;
}

/** The result of a simulated task: the number in its input, and the fencing token of the attempt that succeeded. */
export interface JobResult {
  readonly n: number;
  readonly fencingToken: number;
}

export const queues = ['mail', 'bills'] as const;
const lanes = 8;
const priorities = ['high', 'normal', 'normal', 'normal', 'low'] as const;

interface JobLimits {
  readonly maxAttempts: number;
  readonly timeoutMs: number | undefined;
}

export function jobOf({ maxAttempts, timeoutMs }: JobLimits) {
  return defineTask('job', {
    input: typed<JobInput>(),
    output: typed<JobResult>(),
    queue: 'mail',
    retry: { maxAttempts, backoff: { base: '1s', max: '8s' } },
    ...(timeoutMs !== undefined && { timeout: timeoutMs }),
  });
}

export type Job = ReturnType<typeof jobOf> & TaskType;

export interface PlannedSubmission {
  readonly key: string;
  readonly n: number;
  readonly job: Job;
  readonly atMs: number;
  /** Returns the options of the submission for the current time on the submitter's clock. */
  options(nowMs: number): SubmitOptions;
}

/**
 * Plans the task submissions of a simulated cluster: more than half of them with an ordering key, some delayed, some
 * with a deadline or a short lifetime, each with three attempts at most.
 */
export function planSubmissions(world: World): PlannedSubmission[] {
  return Array.from({ length: world.between(72, 80) }, (_, n) => planSubmission(world, n));
}

function planSubmission(world: World, n: number): PlannedSubmission {
  const inLane = n < lanes || world.chance(0.6);
  const lane = n < lanes ? n : world.between(0, lanes - 1);
  const queue = queues[(inLane ? lane : n) % queues.length] ?? 'mail';
  const delay = world.chance(0.3) ? world.between(1, world.chance(0.3) ? 120_000 : 20_000) : undefined;
  const deadlineMs = world.chance(0.06) ? world.between(5_000, 90_000) : undefined;
  const lifetime = world.chance(0.06) ? world.between(5_000, 90_000) : undefined;
  const priority = world.pick(priorities);
  const whenDead = world.chance(0.3) ? 'redrive' : undefined;
  const key = `key-${n}`;
  return {
    key,
    n,
    atMs: world.between(0, 45_000),
    job: jobOf({
      maxAttempts: world.between(1, 3),
      timeoutMs: world.chance(0.25) ? world.between(8_000, 40_000) : undefined,
    }),
    options: (nowMs) => ({
      idempotencyKey: key,
      queue,
      priority,
      ...(inLane && { orderingKey: `lane-${lane}` }),
      ...(delay !== undefined && { delay }),
      ...(deadlineMs !== undefined && { deadline: new Date(nowMs + deadlineMs) }),
      ...(lifetime !== undefined && { lifetime }),
      ...(whenDead !== undefined && { whenDead }),
    }),
  };
}
