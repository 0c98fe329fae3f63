/** Runs every query of the runbooks on the live back ends. None may end in an error, and most must find something. */
import { ofLanguage, pages } from '../../observability/runbook-pages.ts';
import { linesOf, runJaeger, tracesIn, valuesOf } from './searches.ts';
import type { Stack } from './stack.ts';

const languages = ['jaeger', 'logsql', 'promql'] as const;
type Language = (typeof languages)[number];

export interface RunbookQuery {
  readonly page: string;
  readonly language: Language;
  readonly text: string;
}

export const runbookQueries: readonly RunbookQuery[] = pages.flatMap((page) =>
  languages.flatMap((language) => ofLanguage(page, language).map((text) => ({ page, language, text }))),
);

/** The queries that find nothing in this run, by a part of their text, each with the reason. */
export const emptyHere: Readonly<Record<string, string>> = {
  holdfast_certificate_expiry_seconds: 'no process has a certificate',
  'holdfast-.*"} certificate': 'no process has a certificate',
  holdfast_submissions_refused_total: 'no submission is refused',
  'ALERTS{': 'no alert fires',
  holdfast_lease_expired_total: 'no lease expires',
  'worker_lost|lease_expired': 'no lease expires',
  holdfast_aws_throttled_total: 'nothing throttles',
  holdfast_overload_state: 'a server on SQLite has no dependency that could be overloaded',
  'minDuration=': 'no span is so slow',
  'holdfast-server&tags={"error"': 'no call to a server fails',
  'cause:': 'a line about unserved tasks comes after a minute',
  'holdfast-server"} severity_text': 'the servers log no fault',
  'a round of a background loop failed': 'no loop fails',
  'offset 1h': 'nothing ran an hour ago',
};

/** Returns a query without the threshold at its end, so that it finds values that are as they should be. */
export function withoutThreshold(promql: string): string {
  return promql.replace(/ (>|==) [\d.]+$/, '');
}

async function countOf(stack: Stack, { language, text }: RunbookQuery): Promise<number> {
  if (language === 'jaeger') return tracesIn(await runJaeger(stack, text)).length;
  if (language === 'logsql') return (await linesOf(stack, text)).length;
  return (await valuesOf(stack, text)).length || (await valuesOf(stack, withoutThreshold(text))).length;
}

export interface FailedQuery {
  readonly query: RunbookQuery;
  readonly sentence: string;
}

/** Returns those of some queries that end in an error, and those that find nothing although they should. */
export async function failedQueries(
  stack: Stack,
  queries: readonly RunbookQuery[],
): Promise<readonly FailedQuery[]> {
  const found = queries.map(async (query) => {
    const { page, text } = query;
    const count = await countOf(stack, query).catch((thrown: Error) => thrown.message);
    if (typeof count === 'string') return [{ query, sentence: `${page}: ${count}` }];
    const mayBeEmpty = Object.keys(emptyHere).some((part) => text.includes(part));
    return count > 0 || mayBeEmpty ? [] : [{ query, sentence: `${page}: nothing is found by ${text}` }];
  });
  return (await Promise.all(found)).flat();
}
