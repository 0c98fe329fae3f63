/** The counts of a crash point run, or of one of its passes. */
export interface Tally {
  /** The number of crash points that were recorded. */
  readonly points: number;
  readonly recovered: number;
  /**
   * The number of crash points that were not tried because the time was over. They count neither as recovered nor as
   * not recovered.
   */
  readonly untried: number;
  /** The number of scenarios whose crash points are not known because the time was over, counted once for each pass. */
  readonly unrecorded: number;
}

export function sum(one: Tally, other: Tally): Tally {
  return {
    points: one.points + other.points,
    recovered: one.recovered + other.recovered,
    untried: one.untried + other.untried,
    unrecorded: one.unrecorded + other.unrecorded,
  };
}

/** A run of all scenarios with fewer crash points than this shows an error of the scenarios themselves. */
const leastPoints = 40;

/** Returns the reasons why a crash point run failed. A run in which all points were tried and recovered has none. */
export function reasons(tally: Tally, { only, limitS }: { only: string; limitS: number }): string[] {
  const { points, recovered, untried, unrecorded } = tally;
  const found: string[] = [];
  const over = `the time was over after ${limitS} s (-- --limit-s N)`;
  if (untried > 0) found.push(`${untried} not tried: ${over}`);
  if (unrecorded > 0) found.push(`${unrecorded} scenarios not recorded, their points not counted: ${over}`);
  const wrong = points - recovered - untried;
  if (wrong > 0) found.push(`${wrong} NOT RECOVERED`);
  if (unrecorded > 0) return found;
  if (points === 0) found.push(`no scenario's name has '${only}'`);
  else if (only === '' && points < leastPoints) found.push(`fewer than ${leastPoints} points`);
  return found;
}
