/** Finds the faults of a PromQL text: syntax, series and labels that do not exist, and values that they never have. */
import type { KnownSeries } from './known-series.ts';
import { type LabelUse, type SeriesUse, usesOf } from './promql.ts';

export function offencesOf(promql: string, known: ReadonlyMap<string, KnownSeries>): readonly string[] {
  let uses: ReturnType<typeof usesOf>;
  try {
    uses = usesOf(promql);
  } catch (thrown) {
    return [`no PromQL (${(thrown as Error).message})`];
  }
  const ofSeries = uses.series.flatMap((one) => seriesOffences(one, known));
  const labels = new Set(uses.series.flatMap(({ name }) => [...(known.get(name)?.keys() ?? [])]));
  const grouped = uses.grouped.filter((label) => !labels.has(label));
  return [...ofSeries, ...grouped.map((label) => `groups by ${label}, which no series of it has`)];
}

function seriesOffences(
  { name, matchers }: SeriesUse,
  known: ReadonlyMap<string, KnownSeries>,
): readonly string[] {
  const labels = known.get(name);
  if (labels === undefined) return [`${name} is no known series`];
  return matchers.flatMap((matcher) => {
    if (matcher.label === '__name__') return [];
    if (!labels.has(matcher.label)) return [`${name} has no label ${matcher.label}`];
    const values = labels.get(matcher.label);
    return values === undefined ? [] : valueOffences(name, matcher, values);
  });
}

/** A matcher with values of a closed set must match at least one of them in each of its alternatives. */
function valueOffences(
  name: string,
  { label, operator, value = '' }: LabelUse,
  values: readonly string[],
): string[] {
  const alternatives = operator?.endsWith('~') ? value.split('|') : [value];
  const isKnown = (one: string): boolean =>
    operator?.endsWith('~')
      ? values.some(
          (known) => new RegExp(`^(?:${one})$`).test(known) || new RegExp(`^(?:${one})$`).test(`${known}.0`),
        )
      : values.includes(one);
  return alternatives.filter((one) => !isKnown(one)).map((one) => `${name} never has ${label} ${one}`);
}
