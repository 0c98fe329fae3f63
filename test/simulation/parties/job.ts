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

/**
 * The task types: `quick` ones take some milliseconds, so that workers fetch them ahead, and a worker may run fewer `slow`
 * ones at once than it has slots.
 */
export const jobTypes = ['job', 'quick', 'slow'] as const;
const burstTypes = ['quick', 'quick', 'job', 'slow'] as const;
export type JobType = (typeof jobTypes)[number];
/** How many `slow` tasks a worker runs at once, in clusters with such a limit. */
export const slowAtOnce = 1;

interface JobLimits {
  readonly type?: JobType;
  readonly maxAttempts: number;
  readonly timeoutMs: number | undefined;
}

export function jobOf({ type = 'job', maxAttempts, timeoutMs }: JobLimits) {
  return defineTask(type, {
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
 * with a deadline or a short lifetime, each with three attempts at most. In some clusters half of them come at one
 * moment.
 */
export function planSubmissions(world: World): PlannedSubmission[] {
  return Array.from({ length: world.between(72, 80) }, (_, n) => {
    const isInBurst = world.features.hasBursts && world.chance(0.5);
    if (world.features.hasPoison && world.chance(isInBurst ? 0.06 : 0.025)) world.poison.add(n);
    const type = typeOf(world, isInBurst);
    return planSubmission(world, n, type, isInBurst ? world.burstAtMs : world.between(0, 45_000));
  }).map((plan) => (world.features.hasShortDeadlines ? withShortDeadline(world, plan) : plan));
}

/** Gives every second task of a burst a deadline 1 to 9 s after the burst, when workers have fetched it and not begun. */
function withShortDeadline(world: World, plan: PlannedSubmission): PlannedSubmission {
  if (plan.atMs !== world.burstAtMs || plan.n % 2 === 0) return plan;
  const deadlineMs = 1_000 + ((plan.n * 137) % 8_000);
  return {
    ...plan,
    options: (nowMs) => ({ ...plan.options(nowMs), deadline: new Date(nowMs + deadlineMs) }),
  };
}

function typeOf(world: World, isInBurst: boolean): JobType {
  if (isInBurst) return world.pick(burstTypes) ?? 'quick';
  if (world.features.limitsTypes && world.chance(0.25)) return 'slow';
  return world.chance(0.15) ? 'quick' : 'job';
}

function planSubmission(world: World, n: number, type: JobType, atMs: number): PlannedSubmission {
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
    atMs,
    job: jobOf({
      type,
      maxAttempts: world.between(1, 3),
      timeoutMs: world.chance(0.25) ? world.between(3_000, 60_000) : undefined,
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
