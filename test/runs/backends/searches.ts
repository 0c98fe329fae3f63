/** Asks the back ends by their own query APIs. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ReceivedSpan } from '../../fixtures/otlp-receiver.ts';
import { type Reference, referencesOf, spansOf } from './jaeger-answers.ts';
import type { Stack } from './stack.ts';

type Urls = Pick<Stack, 'tracesUrl' | 'logsUrl' | 'prometheusUrl'>;
/** The fields of a line, or the labels of a series. */
export type Fields = Readonly<Record<string, string>>;

async function get(url: string): Promise<unknown> {
  const answer = await fetch(url, { signal: AbortSignal.timeout(5_000) });
  if (answer.status === 404) return {};
  if (!answer.ok) throw new Error(`${url} answered with ${answer.status}: ${(await answer.text()).trim()}`);
  return answer.json();
}

/** Returns the spans of a trace; none if Jaeger does not have it. */
export async function traceOf({ tracesUrl }: Urls, traceId: string): Promise<readonly ReceivedSpan[]> {
  return spansOf(await get(`${tracesUrl}/api/v3/traces/${traceId}`));
}

export async function legacyReferences({ tracesUrl }: Urls, traceId: string): Promise<readonly Reference[]> {
  return referencesOf(await get(`${tracesUrl}/api/traces/${traceId}`));
}

/** Returns the ids of the traces in which a span of a service has these attributes. */
export async function searchTraces(urls: Urls, service: string, tags: Fields): Promise<readonly string[]> {
  const search = new URLSearchParams({ service, tags: JSON.stringify(tags), limit: '100' });
  return tracesIn(await runJaeger(urls, `/api/traces?${search}`));
}

/** Runs a path of Jaeger's second API. */
export async function runJaeger({ tracesUrl }: Urls, path: string): Promise<unknown> {
  return get(`${tracesUrl}${path}`);
}

export function tracesIn(answer: unknown): readonly string[] {
  const { data } = answer as { readonly data?: readonly { readonly traceID: string }[] | null };
  return (data ?? []).map(({ traceID }) => traceID);
}

/** Returns the lines that a LogsQL query finds. */
export async function linesOf({ logsUrl }: Urls, query: string): Promise<readonly Fields[]> {
  const body = new URLSearchParams({ query, limit: '1000' });
  const answer = await fetch(`${logsUrl}/select/logsql/query`, { method: 'POST', body });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`LogsQL '${query}': ${text.trim()}`);
  const rows = text.split('\n').filter((row) => row !== '');
  return rows.map((row) => JSON.parse(row) as Fields);
}

/** Returns the values that a PromQL query has now. */
export async function valuesOf({ prometheusUrl }: Urls, query: string): Promise<readonly number[]> {
  const body = new URLSearchParams({ query });
  const answer = await fetch(`${prometheusUrl}/api/v1/query`, { method: 'POST', body });
  const { status, error, data } = (await answer.json()) as {
    readonly status: string;
    readonly error?: string;
    readonly data: { readonly result: readonly { readonly value: readonly [number, string] }[] };
  };
  if (status !== 'success') throw new Error(`PromQL '${query}': ${error}`);
  return data.result.map(({ value }) => Number(value[1]));
}

/** Returns the ids of the traces that the exemplars of a query name. */
export async function exemplarTraces({ prometheusUrl }: Urls, query: string): Promise<readonly string[]> {
  const nowS = Date.now() / 1_000;
  const search = new URLSearchParams({ query, start: `${nowS - 600}`, end: `${nowS + 1}` });
  const { data } = (await get(`${prometheusUrl}/api/v1/query_exemplars?${search}`)) as {
    readonly data: readonly { readonly exemplars: readonly { readonly labels: Fields }[] }[];
  };
  return data.flatMap(({ exemplars }) => exemplars.map(({ labels }) => labels.trace_id ?? ''));
}

/** Repeats a check until nothing is missing, at most for some seconds, and returns what is missing then. */
export async function settled(
  limitMs: number,
  missing: () => Promise<readonly string[]>,
): Promise<readonly string[]> {
  const endMs = performance.now() + limitMs;
  for (;;) {
    const found = await missing().catch((thrown: Error) => [thrown.message]);
    if (found.length === 0 || performance.now() > endMs) return found;
    await sleep(200);
  }
}
