import { isEnded } from '../../../src/core/task/head.ts';
import type { ShadowTask } from './shadow-task.ts';
import { type Rules, reportViolation } from './violation.ts';

/**
 * Checks the invariants of lanes (the tasks of one ordering key) when a task joins a lane and when a task of a lane is
 * claimed.
 */
export class LaneRules {
  readonly #rules: Rules;
  readonly #lanes = new Map<string, ShadowTask[]>();

  constructor(rules: Rules) {
    this.#rules = rules;
  }

  checkJoin(task: ShadowTask): void {
    if (task.lane === undefined) return;
    const mates = this.#lanes.get(task.lane) ?? [];
    this.#lanes.set(task.lane, mates);
    if (!mates.includes(task)) mates.push(task);
    for (const mate of mates)
      if (mate !== task && mate.laneSeq >= task.laneSeq)
        reportViolation(this.#rules, 'laneNumbersRise', `${task.id} in ${task.lane}`);
  }

  /** Returns true if no earlier task of the lane is unfinished, holds the lane or must still hand it over. */
  isLowest(task: ShadowTask): boolean {
    return (this.#lanes.get(task.lane ?? '') ?? []).every(
      ({ laneSeq, folded, head }) =>
        laneSeq >= task.laneSeq || (isEnded(folded) && !folded.holdsLane && !head.handOver),
    );
  }

  checkStart(task: ShadowTask): void {
    for (const mate of this.#lanes.get(task.lane ?? '') ?? []) {
      if (mate === task) continue;
      const both = `${task.id} and ${mate.id} in ${task.lane}`;
      if (mate.folded.state === 'running') reportViolation(this.#rules, 'oneLeaseALane', both);
      if (mate.laneSeq > task.laneSeq) continue;
      if (!isEnded(mate.folded)) reportViolation(this.#rules, 'startOrderIsCommitOrder', both);
      else if (mate.folded.holdsLane) reportViolation(this.#rules, 'heldLaneWaits', both);
    }
  }
}
