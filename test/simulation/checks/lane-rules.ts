import { isEnded } from '../../../src/core/task/head.ts';
import type { Seen } from './seen.ts';
import { broken, type Rules } from './violation.ts';

/** The rules of a lane, judged when one of its tasks joins and when one begins. */
export class LaneRules {
  readonly #rules: Rules;
  readonly #lanes = new Map<string, Seen[]>();

  constructor(rules: Rules) {
    this.#rules = rules;
  }

  joined(seen: Seen): void {
    if (seen.lane === undefined) return;
    const mates = this.#lanes.get(seen.lane) ?? [];
    this.#lanes.set(seen.lane, mates);
    if (!mates.includes(seen)) mates.push(seen);
    for (const mate of mates)
      if (mate !== seen && mate.laneSeq >= seen.laneSeq)
        broken(this.#rules, 'laneNumbersRise', `${seen.id} in ${seen.lane}`);
  }

  begun(seen: Seen): void {
    for (const mate of this.#lanes.get(seen.lane ?? '') ?? []) {
      if (mate === seen) continue;
      const both = `${seen.id} and ${mate.id} in ${seen.lane}`;
      if (mate.folded.state === 'running') broken(this.#rules, 'oneLeaseALane', both);
      if (mate.laneSeq > seen.laneSeq) continue;
      if (!isEnded(mate.folded)) broken(this.#rules, 'startOrderIsCommitOrder', both);
      else if (mate.folded.holdsLane) broken(this.#rules, 'heldLaneWaits', both);
    }
  }
}
