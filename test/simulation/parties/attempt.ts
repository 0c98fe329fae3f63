import type { Context } from '../../../src/client/context.ts';
import { FatalError, RetryAfter, Snooze } from '../../../src/client/errors.ts';
import type { SimProcess } from '../network/process.ts';
import type { World } from '../world.ts';
import { type JobInput, type JobResult, jobOf } from './job.ts';

type Fate = 'done' | 'fails' | 'fatal' | 'snoozes' | 'later' | 'parent';

const fates: readonly Fate[] = [
  ...Array<Fate>(12).fill('done'),
  ...Array<Fate>(4).fill('fails'),
  'snoozes',
  'snoozes',
  'fatal',
  'later',
  'parent',
];
const child = jobOf({ maxAttempts: 2, timeoutMs: undefined });
const progressEveryMs = 4_000;

function spanMs(world: World): number {
  return world.between(50, world.chance(0.15) ? 35_000 : 4_000);
}

/** How far ahead a snooze or a retry is: mostly soon, sometimes long enough for a bell to be given up meanwhile. */
export function aheadMs(world: World): number {
  return world.chance(0.25) ? world.between(61_000, 125_000) : world.between(500, 20_000);
}

/** How one attempt goes, some of them deaf to whatever they are told. */
export async function attempt(
  world: World,
  process: SimProcess,
  { n }: JobInput,
  context: Context,
): Promise<JobResult> {
  const fate = context.attempt > 3 || !world.faulty ? 'done' : (world.pick(fates) ?? 'done');
  const heeds = world.chance(0.7);
  let leftMs = spanMs(world);
  for (; leftMs > 0; leftMs -= progressEveryMs) {
    if (world.chance(0.3)) context.progress(0.5, `${leftMs} ms are left`);
    await process.clock.sleep(Math.min(leftMs, progressEveryMs), heeds ? context.signal : undefined);
    if (heeds) context.signal.throwIfAborted();
  }
  const ahead = aheadMs(world);
  if (fate === 'fails') throw new Error('it went wrong');
  if (fate === 'fatal') throw new FatalError('it will never go right');
  if (fate === 'snoozes') throw new Snooze(ahead);
  if (fate === 'later') throw new RetryAfter(ahead);
  if (fate === 'parent' && n < 1_000) {
    // Again with every attempt: it is the same child.
    const made = await context.submit(child, { n: n + 1_000 });
    world.shadow.acknowledged(undefined, made.id);
  }
  return { n, fencingToken: context.fencingToken };
}
