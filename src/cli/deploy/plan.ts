import type { RollbackRecord, Rollout, ServiceState } from './port.ts';
import { isGoingBack, isSteady, rolloutUnderWay } from './target.ts';

/** The goal of a run: a service that runs this tag, a parameter that says so, and a record of it. */
export interface Goal {
  readonly to: string;
  /** Undefined if no other tag is known, so that there is none to go forward to. */
  readonly record: RollbackRecord | undefined;
}

/** The state of the service and its parameters, as a run has read it. */
export interface Seen {
  readonly state: ServiceState;
  readonly parameter: string | undefined;
  readonly record: RollbackRecord | undefined;
}

/** The writes of one run. Another run starts with nothing done and comes to the same end. */
export interface Done {
  readonly hasRecorded: boolean;
  readonly hasWritten: boolean;
  /** The update of the service by this run; undefined before it. */
  readonly update: { readonly newestBefore: string | undefined; readonly looks: number } | undefined;
  /** The rollouts that it has stopped. */
  readonly stopped: ReadonlySet<string>;
}

export const nothingDone: Done = {
  hasRecorded: false,
  hasWritten: false,
  update: undefined,
  stopped: new Set(),
};

/** The looks at ECS after an update until it must show it: its answers may be a little behind. */
const looksUntilSeen = 3;

/** The next step of a run. */
export type Step =
  | { readonly do: 'record' }
  | { readonly do: 'parameter' }
  | { readonly do: 'stop'; readonly rollout: Rollout }
  | { readonly do: 'update' }
  | { readonly do: 'wait'; readonly sentence: string }
  | { readonly do: 'fail'; readonly sentence: string }
  | { readonly do: 'end' };

/**
 * Returns the next step towards the goal. It depends on what is seen alone, and on what this run has done only in so far as
 * a run writes once and updates once: so a run can be interrupted after any step, and two runs do not undo each other.
 *
 * The record comes first, since an interrupted run is found by it; then the parameter, so that a deployment in between
 * goes to the same tag; then ECS.
 */
export function nextStep({ to, record }: Goal, seen: Seen, done: Done): Step {
  const { state, parameter } = seen;
  if (!done.hasRecorded && record !== undefined && !sameRecord(seen.record, record)) return { do: 'record' };
  if (!done.hasWritten && parameter !== to) return { do: 'parameter' };
  const under = rolloutUnderWay(state);
  if (under !== undefined) return stepAmid(under, to, done);
  const { primary, rolloutState } = state;
  if (primary.tag !== to) {
    if (done.update === undefined) return { do: 'update' };
    const isBehind = state.rollouts[0]?.arn === done.update.newestBefore;
    if (isBehind && done.update.looks < looksUntilSeen)
      return { do: 'wait', sentence: `ECS has not begun the rollout of '${to}'` };
    return { do: 'fail', sentence: replacedSentence(seen, to) };
  }
  if (isSteady(state)) return { do: 'end' };
  if (rolloutState === 'FAILED') return { do: 'fail', sentence: failedSentence(seen, to) };
  return { do: 'wait', sentence: countsOf(state) };
}

function stepAmid(under: Rollout, to: string, done: Done): Step {
  const target = under.target?.tag;
  if (isGoingBack(under))
    return { do: 'wait', sentence: `ECS goes back from '${target ?? '?'}' (${under.status})` };
  if (target === to) return { do: 'wait', sentence: `the rollout of '${to}' is ${under.status}` };
  if (done.update !== undefined) {
    const sentence = `Another rollout, of '${target ?? '?'}', has begun meanwhile.`;
    return { do: 'fail', sentence };
  }
  if (done.stopped.has(under.arn)) return { do: 'wait', sentence: `ECS stops the rollout of '${target}'` };
  return { do: 'stop', rollout: under };
}

function sameRecord(a: RollbackRecord | undefined, b: RollbackRecord): boolean {
  return a !== undefined && a.from === b.from && a.to === b.to && a.direction === b.direction;
}

function replacedSentence({ state }: Seen, to: string): string {
  const [newest] = state.rollouts;
  const reason = newest?.reason ?? state.rolloutReason;
  const because = reason === undefined ? '' : ` (${reason})`;
  if (newest?.target?.tag === to && newest.status.startsWith('ROLLBACK'))
    return `ECS has taken the rollout of '${to}' back${because}; it runs '${state.primary.tag ?? '?'}'.`;
  return `The service runs '${state.primary.tag ?? '?'}' and not '${to}'${because}.`;
}

function failedSentence({ state }: Seen, to: string): string {
  const { rolloutReason, failed } = state;
  return `The rollout of '${to}' has failed${rolloutReason === undefined ? '' : `: ${rolloutReason}`} (${failed} tasks did not start).`;
}

/** Says how far ECS is, for the line of progress. */
export function countsOf({
  primary,
  running,
  desired,
  pending,
  failed,
  othersRunning,
}: ServiceState): string {
  const parts = [`${running} of ${desired} tasks of '${primary.tag ?? primary.arn}' run`];
  if (pending > 0) parts.push(`${pending} start`);
  if (failed > 0) parts.push(`${failed} failed`);
  if (othersRunning > 0) parts.push(`${othersRunning} of other revisions run`);
  return parts.join(', ');
}
