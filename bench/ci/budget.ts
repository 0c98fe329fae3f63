/** Compares the counts with the budget file. */
import type { Counts } from './measure.ts';

/** The counts of each scenario, by its name. */
export type Budget = Readonly<Record<string, Counts>>;

/** The fraction by which a count may differ from its budget. V8 optimises at slightly different moments in each run. */
export const tolerance = { counts: 0.05, allocations: 0.1 } as const;

export interface Judgement {
  /** A sentence for each count that is over its budget, or that only one of the two has. */
  readonly failures: readonly string[];
  /** A sentence for each count that is so far below its budget that the budget can be lowered. */
  readonly notes: readonly string[];
}

const write = 'npm run bench:ci -- --write';

const toleranceOf = (count: string): number =>
  count.startsWith('allocated') ? tolerance.allocations : tolerance.counts;

const percentOf = (share: number): string => `${(Math.abs(share) * 100).toFixed(1)} %`;

function judgeCount(
  name: string,
  value: number,
  budget: number,
): Partial<Record<'failure' | 'note', string>> {
  const most = toleranceOf(name.slice(name.lastIndexOf('/') + 1));
  if (value === budget) return {};
  const growth = budget === 0 ? Number.POSITIVE_INFINITY : value / budget - 1;
  if (value > budget * (1 + most)) {
    const by = budget === 0 ? 'above 0' : `${percentOf(growth)} above it`;
    return {
      failure: `${name} is ${value} a task, its budget is ${budget}: ${by}, at most ${percentOf(most)} is allowed. If it is worth it, run ${write} and commit bench/ci/budget.json with the change.`,
    };
  }
  if (value >= budget * (1 - most)) return {};
  return {
    note: `${name} is ${value} a task, its budget is ${budget}: ${percentOf(growth)} below it. Run ${write} to lower the budget.`,
  };
}

/** Judges the counts of all scenarios. Counts that grew need a budget file that was changed with them. */
export function judge(counts: Budget, budget: Budget): Judgement {
  const failures: string[] = [];
  const notes: string[] = [];
  const flat = (from: Budget): Map<string, number> =>
    new Map(
      Object.entries(from).flatMap(([scenario, each]) =>
        Object.entries(each).map(([count, value]) => [`${scenario}/${count}`, value] as const),
      ),
    );
  const budgets = flat(budget);
  const values = flat(counts);
  for (const [name, value] of values) {
    const limit = budgets.get(name);
    if (limit === undefined) {
      failures.push(`${name} is ${value} a task and has no budget: run ${write}.`);
      continue;
    }
    const { failure, note } = judgeCount(name, value, limit);
    if (failure !== undefined) failures.push(failure);
    if (note !== undefined) notes.push(note);
  }
  for (const name of budgets.keys()) {
    if (!values.has(name)) failures.push(`${name} has a budget and is not counted any more: run ${write}.`);
  }
  return { failures, notes };
}
