/** Reads the runbooks as an operator does: their questions in order, each with its queries. */
import { textOf } from '../../../observability/runbook-pages.ts';

/** The languages of the queries that can be run here. LogQL and TraceQL stand beside them as twins. */
const runnable = ['promql', 'logsql', 'jaeger'] as const;
export type QueryLanguage = (typeof runnable)[number];

export interface RunbookQuery {
  readonly language: QueryLanguage;
  readonly text: string;
}

export interface Question {
  /** The text before the queries, up to its question mark. */
  readonly text: string;
  readonly queries: readonly RunbookQuery[];
}

const section = /^## Queries, in order\n(.*?)^## /ms;
const part = /```(\w+)\n(.*?)\n```|([^`\n][^\n]*(?:\n[^`\n][^\n]*)*)/gs;

/** Returns the questions of a page in their order. */
export function questionsOf(page: string): readonly Question[] {
  const [, text = ''] = section.exec(textOf(page)) ?? [];
  const questions: { text: string; queries: RunbookQuery[] }[] = [];
  for (const [, language = '', code = '', words] of text.matchAll(part)) {
    const [question] = words?.split('?') ?? [];
    if (question !== undefined) questions.push({ text: `${question.replaceAll('\n', ' ')}?`, queries: [] });
    else if (isRunnable(language)) questions.at(-1)?.queries.push({ language, text: code });
  }
  return questions;
}

function isRunnable(language: string): language is QueryLanguage {
  return runnable.some((one) => one === language);
}

const unitS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400 };

/**
 * Returns a query of a runbook for a queue, where all lengths of time of the rules are shorter by a factor. Lines and spans are
 * asked for over the whole length.
 */
export function filledQuery({ language, text }: RunbookQuery, queue: string, factor: number): string {
  const ofQueue = text.replaceAll('"mail"', JSON.stringify(queue));
  if (language !== 'promql') return ofQueue;
  return ofQueue.replaceAll(/\[(\d+)([smhd])\]/g, (_, count: string, unit: string) => {
    return `[${Math.max(1_000, Math.round((Number(count) * (unitS[unit] ?? 1) * 1_000) / factor))}ms]`;
  });
}
