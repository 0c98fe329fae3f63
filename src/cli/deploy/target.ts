import type { Revision, RollbackRecord, Rollout, ServiceState } from './port.ts';

/** Everything by which the target of a rollback is chosen. */
export interface Situation {
  readonly state: ServiceState;
  /** The newest revisions, the newest first. */
  readonly revisions: readonly Revision[];
  readonly record: RollbackRecord | undefined;
  /** The tag that the stack deploys. */
  readonly parameter: string | undefined;
}

/** The tag to go back to, and the one that is left; or why there is none. */
export type Choice =
  | { readonly to: string; readonly from: string | undefined; readonly why: string }
  | { readonly refused: 'running' | 'rolledBack' | 'none' | 'untagged'; readonly sentence: string };

const ending: ReadonlySet<string> = new Set(['STOP_REQUESTED', 'ROLLBACK_REQUESTED', 'ROLLBACK_IN_PROGRESS']);
const beginning: ReadonlySet<string> = new Set(['PENDING', 'IN_PROGRESS']);

/** Returns the rollout that has not ended, if any. */
export function rolloutUnderWay({ rollouts: [newest] }: ServiceState): Rollout | undefined {
  return newest !== undefined && (ending.has(newest.status) || beginning.has(newest.status))
    ? newest
    : undefined;
}

/** True if ECS goes back to the source of a rollout already. */
export function isGoingBack({ status }: Rollout): boolean {
  return ending.has(status);
}

/** True if a service runs its primary revision alone, with as many tasks as it should. */
export function isSteady(state: ServiceState): boolean {
  const { rolloutState, running, pending, desired, othersRunning } = state;
  if (rolloutUnderWay(state) !== undefined || rolloutState !== 'COMPLETED') return false;
  return running >= desired && pending === 0 && othersRunning === 0;
}

/** True if a record describes the service as it is: it was rolled back, and nothing was deployed since. */
export function isInForce(record: RollbackRecord, { primary }: ServiceState): boolean {
  return record.direction === 'back' && record.to === primary.tag;
}

/** True if a record is in force, or of a rollback that was interrupted before ECS began, or that ECS has taken back. */
export function isOpen(
  record: RollbackRecord,
  { primary }: ServiceState,
  parameter: string | undefined,
): boolean {
  return record.direction === 'back' && (record.to === primary.tag || record.to === parameter);
}

/**
 * True if a way forward was begun, and both the service and the parameter have one of its two tags. Otherwise a release has
 * deployed another tag since, and the record would lead from that one to an older tag.
 */
export function isWayOpen(
  { from, to, direction }: RollbackRecord,
  { primary }: ServiceState,
  parameter: string | undefined,
): boolean {
  const isOfIt = (tag: string | undefined): boolean => tag === from || tag === to;
  return direction === 'forward' && isOfIt(primary.tag) && isOfIt(parameter);
}

/** Returns the tags whose every known rollout ECS has taken back: they are no tags to go back to. */
export function failedTags(rollouts: readonly Rollout[]): ReadonlySet<string> {
  const tagsWith = (wanted: (status: string) => boolean): string[] =>
    rollouts.flatMap(({ status, target }) =>
      wanted(status) && target?.tag !== undefined ? [target.tag] : [],
    );
  const good = new Set(tagsWith((status) => status === 'SUCCESSFUL'));
  return new Set(tagsWith((status) => status.startsWith('ROLLBACK_')).filter((tag) => !good.has(tag)));
}

/**
 * Chooses the tag of a rollback. Without a named tag, it is the source of the rollout under way; of a rollback that was
 * interrupted, its tag; of a rollout that ECS has taken back, the tag that runs, so that the parameter follows; otherwise
 * the tag of the newest earlier revision that did not fail and that no rollback has left.
 */
export function chooseTarget(situation: Situation, named: string | undefined): Choice {
  return named === undefined ? chooseSource(situation) : chooseNamed(situation, named);
}

function chooseNamed(situation: Situation, to: string): Choice {
  const { state, record, parameter } = situation;
  const running = state.primary.tag;
  if (record !== undefined && isInForce(record, state) && to === record.from)
    return {
      refused: 'rolledBack',
      sentence: `It was rolled back from '${to}' to '${record.to}': that would be a rollback of a rollback.`,
    };
  if (to === running && isSteady(state) && parameter === to)
    return { refused: 'running', sentence: `It runs '${to}' already, and the next deployment keeps it.` };
  const under = rolloutUnderWay(state);
  return { to, from: leftTag(situation, to), why: under === undefined ? 'named' : 'named, amid a rollout' };
}

/** Returns the tag that `deploy forward` leads to after a rollback to `to`. */
function leftTag({ state, record, parameter }: Situation, to: string): string | undefined {
  // A second rollback keeps the tag that the first one has left, and so does one that goes on after an interruption.
  if (record !== undefined && isOpen(record, state, parameter) && record.from !== to) return record.from;
  const under = rolloutUnderWay(state);
  const candidates = [under?.target?.tag, state.primary.tag, takenBack(state)?.target?.tag, parameter];
  return candidates.find((tag) => tag !== undefined && tag !== to);
}

/** Returns the newest rollout if ECS has taken it back. */
function takenBack({ rollouts: [newest] }: ServiceState): Rollout | undefined {
  return newest?.status === 'ROLLBACK_SUCCESSFUL' ? newest : undefined;
}

/** Returns the tag that an earlier rollback has left, unless the tag that runs has replaced it: then it was deployed again. */
function leftBefore({ state, record }: Situation): string | undefined {
  if (record?.direction !== 'back') return undefined;
  const last = state.rollouts.find(
    ({ status, target }) => status === 'SUCCESSFUL' && target?.tag === state.primary.tag,
  );
  return last?.source?.tag === record.from ? undefined : record.from;
}

function chooseSource(situation: Situation): Choice {
  const { state, revisions, record, parameter } = situation;
  const running = state.primary.tag;
  if (record !== undefined && isOpen(record, state, parameter)) {
    const { from, to } = record;
    if (to !== running || !isSteady(state) || parameter !== to)
      return { to, from, why: 'the rollback that was begun' };
    const sentence = `It was rolled back from '${from}' to '${to}' already: that would be a rollback of a rollback.`;
    return { refused: 'rolledBack', sentence };
  }
  const under = rolloutUnderWay(state);
  if (under?.source?.tag !== undefined && under.source.tag !== under.target?.tag) {
    const to = under.source.tag;
    return { to, from: leftTag(situation, to), why: 'the rollout under way has replaced it' };
  }
  const undone = takenBack(state);
  if (undone !== undefined && running !== undefined && parameter !== running)
    return { to: running, from: leftTag(situation, running), why: 'ECS has gone back to it by itself' };
  if (running === undefined) {
    const sentence = 'Its image has no tag of the repository, so that there is no tag before it.';
    return { refused: 'untagged', sentence };
  }
  const unwanted = new Set([running, ...failedTags(state.rollouts), leftBefore(situation)]);
  const found = revisions.find(
    ({ revision, tag }) => revision < state.primary.revision && tag !== undefined && !unwanted.has(tag),
  );
  if (found?.tag === undefined)
    return { refused: 'none', sentence: `No revision before '${running}' has another tag.` };
  return { to: found.tag, from: leftTag(situation, found.tag), why: 'it ran before' };
}

/** Returns the newest revision with a tag, an active one if there is one. */
export function revisionOf(revisions: readonly Revision[], tag: string): Revision | undefined {
  const withTag = revisions.filter((one) => one.tag === tag);
  return withTag.find(({ isActive }) => isActive) ?? withTag[0];
}
