/** Parses PromQL, and finds the series and labels that a text names. */
import { parser } from '@prometheus-io/lezer-promql';

export interface LabelUse {
  readonly label: string;
  /** The operator and the value of a matcher; undefined where the label is only named, as in `by (queue)`. */
  readonly operator?: '=' | '!=' | '=~' | '!~';
  readonly value?: string;
}

export interface SeriesUse {
  readonly name: string;
  readonly matchers: readonly LabelUse[];
}

export interface PromqlUses {
  readonly series: readonly SeriesUse[];
  /** The labels of groupings and of vector matching. */
  readonly grouped: readonly string[];
}

const strict = parser.configure({ strict: true });

/** Returns what a PromQL text names. Throws a SyntaxError if it is malformed. */
export function usesOf(text: string): PromqlUses {
  if (text.trim() === '') throw new SyntaxError('an empty text is no PromQL');
  const tree = strict.parse(text);
  const series: { name: string; matchers: LabelUse[] }[] = [];
  const grouped: string[] = [];
  tree.iterate({
    enter({ name, from, to, node }) {
      const part = text.slice(from, to);
      if (name === 'VectorSelector') series.push({ name: '', matchers: [] });
      const current = series.at(-1);
      if (name === 'Identifier' && node.parent?.name === 'VectorSelector' && current) current.name = part;
      if (name === 'UnquotedLabelMatcher') current?.matchers.push(matcherOf(part));
      if (name === 'LabelName' && node.parent?.name === 'GroupingLabels') grouped.push(part);
    },
  });
  return { series: series.map(named), grouped };
}

function matcherOf(text: string): LabelUse {
  const [, label = '', operator = '=', value = ''] =
    /^(\w+)\s*(=~|!~|!=|=)\s*["'`](.*)["'`]$/s.exec(text) ?? [];
  return { label, operator: operator as '=', value };
}

/** Gives a selector without a name the name of its matcher `__name__`. */
function named({ name, matchers }: SeriesUse): SeriesUse {
  const byMatcher = matchers.find(({ label }) => label === '__name__')?.value;
  return name === '' ? { name: byMatcher ?? '', matchers } : { name, matchers };
}
