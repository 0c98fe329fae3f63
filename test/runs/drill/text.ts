/** The lines that the drill prints about a step. */
import type { CommandAnswer, Line, Sample, Span } from './investigation/answers.ts';
import type { Step } from './investigation/investigation.ts';

/** The most items of an answer that are printed, and the most characters of a line. */
const shownItems = 4;
const shownChars = 200;

const clip = (text: string): string =>
  text.length > shownChars ? `${text.slice(0, shownChars - 1)}…` : text;

function itemText(step: Step, item: unknown): string {
  if (step.language === 'promql') {
    const { labels, value } = item as Sample;
    const pairs = Object.entries(labels).map(([label, text]) => `${label}="${text}"`);
    return `{${pairs.join(',')}} ${Number(value.toFixed(3))}`;
  }
  if (step.language === 'logsql') {
    const { _time, _stream, _stream_id, ...fields } = item as Line;
    return `${_time ?? ''} ${JSON.stringify(fields)}`;
  }
  const { service, version, name, ms, isError } = item as Span;
  return `${service}${version === '' ? '' : ` ${version}`} ${name} ${ms.toFixed(1)} ms${isError ? ' error' : ''}`;
}

/** The spans that matter are those that took the longest, and the samples those with the largest values. */
function weightOf({ language }: Step, item: unknown): number {
  if (language === 'jaeger') return (item as Span).ms;
  return language === 'promql' ? (item as Sample).value : 0;
}

function answerText(step: Step): readonly string[] {
  if (step.language === 'sh') {
    const { result } = step.answer as CommandAnswer;
    const { error, groups, verdict } = result;
    if (error !== undefined) return [`${error.reason}: ${error.message}`];
    if (groups !== undefined) return groups.map((one) => `${one.verdict}: ${one.sentence}`);
    return [verdict === undefined ? JSON.stringify(result) : `${verdict}: ${String(result.sentence)}`];
  }
  const items = step.answer as readonly unknown[];
  const ordered = [...items].sort((one, other) => weightOf(step, other) - weightOf(step, one));
  const shown = ordered.slice(0, shownItems).map((item) => itemText(step, item));
  return [...shown, ...(items.length > shownItems ? [`and ${items.length - shownItems} more`] : [])];
}

/** Returns the lines about a step: the question, the query, and an excerpt of the answer. */
export function stepText(step: Step): readonly string[] {
  const { page, question, language, query } = step;
  const answer = answerText(step);
  return [
    `${page}: ${question}`,
    ...query.split('\n').map((line) => `    ${language}> ${line}`),
    ...(answer.length === 0 ? ['nothing'] : answer).map((line) => `      ${clip(line)}`),
  ];
}
