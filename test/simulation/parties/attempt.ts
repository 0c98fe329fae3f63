import type { AttemptContext } from '../../../src/client/context.ts';
import { FatalError, RetryAfter, Snooze } from '../../../src/client/errors.ts';
import { watchFreedTasks } from '../checks/freed-tasks.ts';
import type { SimProcess } from '../network/process.ts';
import type { World } from '../world.ts';
import { type JobInput, type JobResult, jobOf } from './job.ts';

type AttemptOutcome = 'done' | 'fails' | 'fatal' | 'snoozes' | 'later' | 'parent';

const attemptOutcomes: readonly AttemptOutcome[] = [
  ...Array<AttemptOutcome>(12).fill('done'),
  ...Array<AttemptOutcome>(4).fill('fails'),
  'snoozes',
  'snoozes',
  'fatal',
  'later',
  'parent',
];
const child = jobOf({ maxAttempts: 2, timeoutMs: undefined });
const progressEveryMs = 4_000;

function spanMs(world: World, type: string): number {
  if (type === 'quick') return world.between(1, 60);
  return world.between(50, world.chance(0.15) ? 35_000 : 4_000);
}

/**
 * Returns the delay in ms of a snooze or a retry: mostly short, sometimes so long that the task's dispatch message is
 * deleted meanwhile.
 */
export function delayAheadMs(world: World): number {
  return world.chance(0.25) ? world.between(61_000, 125_000) : world.between(500, 20_000);
}

/**
 * Runs one simulated attempt of a task, with a random duration and outcome. Some attempts ignore the signals. The handler
 * of a poison task ends the process.
 */
export async function attempt(
  world: World,
  process: SimProcess,
  input: JobInput,
  context: AttemptContext,
): Promise<JobResult> {
  const end = world.begin(process, context.id, context.fencingToken, context.signal);
  try {
    if (world.poison.has(input.n)) await endProcess(world, process);
    return await run(world, process, input, context);
  } finally {
    end();
  }
}

/** The time from which the handlers of poison tasks end no process any more, so that each task ends some time. */
const poisonEndsAtMs = 250_000;

/** Ends the process of a poison task, some time after its handler was called. */
export async function endProcess(world: World, process: SimProcess): Promise<void> {
  if (world.elapsedMs > poisonEndsAtMs) return;
  await process.clock.sleep(world.chance(0.3) ? 0 : world.between(1, 6_000));
  world.tally.countEvent('process ended by its task');
  world.disturbed(0);
  watchFreedTasks(world, process);
  process.exit();
  await new Promise(() => {});
}

async function run(
  world: World,
  process: SimProcess,
  { n }: JobInput,
  context: AttemptContext,
): Promise<JobResult> {
  const outcome = context.attempt > 3 || !world.hasFaults ? 'done' : (world.pick(attemptOutcomes) ?? 'done');
  const obeysSignal = world.chance(0.7);
  const obeysStopping = world.chance(0.3);
  let leftMs = spanMs(world, context.type);
  for (; leftMs > 0; leftMs -= progressEveryMs) {
    if (world.chance(0.3)) context.progress(0.5, `${leftMs} ms are left`);
    const stop = obeysStopping ? context.stopping : context.signal;
    const obeys = obeysSignal || obeysStopping;
    await process.clock.sleep(Math.min(leftMs, progressEveryMs), obeys ? stop : undefined);
    if (obeysStopping) context.stopping.throwIfAborted();
    if (obeysSignal) context.signal.throwIfAborted();
  }
  const ahead = delayAheadMs(world);
  if (outcome === 'fails') throw new Error('it went wrong');
  if (outcome === 'fatal') throw new FatalError('it will never go right');
  if (outcome === 'snoozes') throw new Snooze(ahead);
  if (outcome === 'later') throw new RetryAfter(ahead);
  if (outcome === 'parent' && n < 1_000) {
    // Every attempt of a task submits the same child task with the same idempotency key.
    const made = await context.submit(child, { n: n + 1_000 });
    world.shadow.recordAcknowledged(undefined, made.id);
  }
  return { n, fencingToken: context.fencingToken };
}
