import { HoldfastError } from '../../core/errors.ts';
import { formatDuration } from '../../core/rules.ts';
import type { Clock } from '../../ports/clock.ts';
import { type Done, type Goal, nextStep, nothingDone, type Seen, type Step } from './plan.ts';
import type { Deployable, Deployments, Revision } from './port.ts';
import { revisionOf } from './target.ts';

export interface ReachOptions {
  readonly deployments: Deployments;
  readonly clock: Pick<Clock, 'monotonic' | 'sleep'>;
  /** How long ECS may take, in ms. */
  readonly timeoutMs: number;
  /** The time between two looks at ECS. */
  readonly pollMs: number;
  /** Ends the run between two steps. */
  readonly signal: AbortSignal;
  /** Is called with each line of progress. */
  readonly note: (line: string) => void;
  /** The command that goes on after an interruption. */
  readonly again: string;
  /** The options of this run that name the stage and the region, for the commands that it prints; each after a space. */
  readonly where: string;
}

/** The longest series of failed looks at ECS before the run ends. */
const failedLooks = 5;

/**
 * Takes one step after another until the service runs the goal's tag alone. May be interrupted after any step and begun
 * again, and run twice at once.
 *
 * @throws HoldfastError ROLLOUT_FAILED if ECS does not get there, TIMED_OUT after the timeout, ABANDONED if interrupted.
 */
export async function reach(service: Deployable, goal: Goal, options: ReachOptions): Promise<Seen> {
  const { deployments, clock, timeoutMs, pollMs, signal, note, again, where } = options;
  const untilMs = clock.monotonic() + timeoutMs;
  let done = nothingDone;
  let shown = '';
  let failures = 0;
  for (;;) {
    if (signal.aborted) throw interrupted(again);
    let seen: Seen;
    try {
      seen = await see(deployments, service);
      failures = 0;
    } catch (thrown) {
      // Before a first step an error is the answer. Later ECS goes on by itself, so that a look that failed is repeated.
      if (done === nothingDone || !isPassing(thrown) || ++failures >= failedLooks) throw thrown;
      note(`ECS could not be read: ${thrown.message} Trying again.`);
      await clock.sleep(pollMs, signal);
      continue;
    }
    const step = nextStep(goal, seen, done);
    const line = step.do === 'wait' || step.do === 'fail' ? step.sentence : lineOf(step, goal);
    if (line !== shown && step.do !== 'fail') note(line);
    shown = line;
    if (step.do === 'end') return seen;
    if (step.do === 'fail') throw rolloutFailed(step.sentence, service, where);
    if (step.do !== 'wait') {
      done = await take(step, { service, goal, deployments, seen, done });
      continue;
    }
    // Another run may have written the same; this one then has nothing to write any more.
    const { update } = done;
    done = {
      ...{ ...done, hasRecorded: true, hasWritten: true },
      update: update && { ...update, looks: update.looks + 1 },
    };
    if (clock.monotonic() >= untilMs) throw timedOut(line, timeoutMs, again);
    await clock.sleep(pollMs, signal);
  }
}

export async function see(deployments: Deployments, service: Deployable): Promise<Seen> {
  const [state, parameter, record] = await Promise.all([
    deployments.state(service),
    deployments.tag(service),
    deployments.record(service),
  ]);
  return { state, parameter, record };
}

interface Taking {
  readonly service: Deployable;
  readonly goal: Goal;
  readonly deployments: Deployments;
  readonly seen: Seen;
  readonly done: Done;
}

const written = { hasRecorded: true, hasWritten: true } as const;

async function take(step: Step, { service, goal, deployments, seen, done }: Taking): Promise<Done> {
  switch (step.do) {
    case 'record':
      if (goal.record !== undefined) await deployments.writeRecord(service, goal.record);
      return { ...done, hasRecorded: true };
    case 'parameter':
      await deployments.writeTag(service, goal.to);
      return { ...done, hasWritten: true };
    case 'stop':
      await deployments.stopRollout(step.rollout.arn);
      return { ...done, ...written, stopped: new Set([...done.stopped, step.rollout.arn]) };
    case 'update': {
      await deployments.update(service, await startable(deployments, service, seen, goal.to));
      const newestBefore = seen.state.rollouts[0]?.arn;
      return { ...done, ...written, update: { newestBefore, looks: 0 } };
    }
    default:
      return done;
  }
}

/** Returns an active revision with a tag, and registers the content of a deregistered one again if there is none. */
async function startable(
  deployments: Deployments,
  service: Deployable,
  { state }: Seen,
  tag: string,
): Promise<Revision> {
  const found = revisionOf(await deployments.revisions(service, state.primary.family), tag);
  if (found === undefined) throw neverDeployed(service, tag);
  return found.isActive ? found : deployments.register(found);
}

export function neverDeployed({ name, tagParameter }: Deployable, tag: string): HoldfastError {
  const message = `No revision of ${name} has the tag '${tag}': it was never deployed, or its revisions were deleted.`;
  return new HoldfastError('NOT_FOUND', 'DEPLOYMENT_NOT_FOUND', message, {
    help: `\`holdfast deploy status\` lists the tags. To deploy it for the first time, write it to ${tagParameter} and run \`cdk deploy\`.`,
  });
}

function lineOf(step: Step, { to, record }: Goal): string {
  switch (step.do) {
    case 'record':
      return record?.direction === 'forward' ? 'recording that it goes forward' : 'recording the rollback';
    case 'parameter':
      return `writing '${to}' to the parameter that the stack reads`;
    case 'stop':
      return `stopping the rollout of '${step.rollout.target?.tag ?? '?'}'`;
    case 'update':
      return `updating the service to '${to}'`;
    default:
      return `'${to}' runs alone`;
  }
}

function isPassing(thrown: unknown): thrown is HoldfastError {
  return thrown instanceof HoldfastError && thrown.code === 'UNAVAILABLE';
}

function interrupted(again: string): HoldfastError {
  return new HoldfastError('CANCELLED', 'ABANDONED', 'Interrupted. ECS goes on with what was begun.', {
    help: `Run it again to go on: \`${again}\`. That changes nothing twice.`,
  });
}

function rolloutFailed(sentence: string, { name }: Deployable, where: string): HoldfastError {
  return new HoldfastError('ABORTED', 'ROLLOUT_FAILED', `${name}: ${sentence}`, {
    help: `See \`holdfast deploy status ${name}${where}\`. If the service is to stay as it is, \`holdfast deploy forward ${name}${where}\` sets the parameter back; another tag is named by \`holdfast deploy rollback ${name} --to <tag>${where}\`.`,
  });
}

function timedOut(line: string, timeoutMs: number, again: string): HoldfastError {
  const message = `Not done within ${formatDuration(timeoutMs)}: ${line}. ECS goes on.`;
  return new HoldfastError('DEADLINE_EXCEEDED', 'TIMED_OUT', message, {
    help: `Run it again to go on waiting: \`${again}\`.`,
  });
}
