/** How far a run came. */
export interface Tally {
  /** All that were recorded. */
  readonly points: number;
  readonly recovered: number;
  /** Of the points, those that time was over for: neither recovered nor not. */
  readonly untried: number;
  /** Scenarios, once for each pass, whose points are not even known, since time was over. */
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

/** Fewer, and the scenarios did not run as they should. */
const leastPoints = 40;

/** Why the run shows nothing; empty: it went through everything, and everything was recovered. */
export function reasons(tally: Tally, { only, limitS }: { only: string; limitS: number }): string[] {
  const { points, recovered, untried, unrecorded } = tally;
  const found: string[] = [];
  const over = `time is over after ${limitS} s (-- --limit-s N)`;
  if (untried > 0) found.push(`${untried} not tried: ${over}`);
  if (unrecorded > 0) found.push(`${unrecorded} scenarios not recorded, their points not counted: ${over}`);
  const wrong = points - recovered - untried;
  if (wrong > 0) found.push(`${wrong} NOT RECOVERED`);
  if (unrecorded > 0) return found;
  if (points === 0) found.push(`no scenario's name has '${only}'`);
  else if (only === '' && points < leastPoints) found.push(`fewer than ${leastPoints} points`);
  return found;
}
