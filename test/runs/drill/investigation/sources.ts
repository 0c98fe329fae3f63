/** All that an investigator may ask: Prometheus, Jaeger, VictoriaLogs, and the API by the command, run in this process. */
import { setTimeout as sleep } from 'node:timers/promises';
import { run } from '../../../../src/cli/program.ts';
import type { CommandAnswer, Line, Sample, Span } from './answers.ts';
import { type SearchAnswer, searchedSpans } from './jaeger-spans.ts';
import type { QueryLanguage } from './runbook.ts';

export type Language = QueryLanguage | 'sh';

/** Answers the queries of an investigation. */
export interface Sources {
  answer(language: Language, query: string): Promise<unknown>;
  /** Waits before something is asked again. */
  wait(ms: number): Promise<void>;
}

export interface Addresses {
  readonly prometheus: string;
  readonly jaeger: string;
  readonly victoriaLogs: string;
}

const patienceMs = 10_000;
/** Lines and spans arrive some seconds late: an empty answer is asked for again. */
const lateMs = 2_500;
const tries = 3;
/** The verbs that an investigator may use: they read, and change nothing. */
const verbs: ReadonlySet<string> = new Set(['why', 'trouble', 'workers', 'list', 'slo']);

async function fetched(url: string, query?: string): Promise<Response> {
  const signal = AbortSignal.timeout(patienceMs);
  const post = query === undefined ? {} : { method: 'POST', body: new URLSearchParams({ query }) };
  const answer = await fetch(url, { ...post, signal });
  if (!answer.ok) throw new Error(`${url} answered ${answer.status}: ${await answer.text()}`);
  return answer;
}

async function samples(base: string, query: string): Promise<readonly Sample[]> {
  const { data } = (await (await fetched(`${base}/api/v1/query`, query)).json()) as {
    data: { result: { metric: Record<string, string>; value: [number, string] }[] };
  };
  return data.result.map(({ metric, value }) => ({ labels: metric, value: Number(value[1]) }));
}

async function lines(base: string, query: string): Promise<readonly Line[]> {
  const text = await (await fetched(`${base}/select/logsql/query`, query)).text();
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Line);
}

async function spans(base: string, path: string): Promise<readonly Span[]> {
  const answer = await fetched(String(new URL(path, base)));
  return searchedSpans((await answer.json()) as SearchAnswer);
}

/** Runs a verb of the command in this process and returns its JSON. */
async function command(line: string): Promise<CommandAnswer> {
  const [, ...argv] = line.split(' ');
  if (!verbs.has(argv[0] ?? '')) throw new Error(`an investigator may not use '${line}'`);
  const { write } = process.stdout;
  let out = '';
  process.stdout.write = (text: string | Uint8Array): boolean => {
    out += text;
    return true;
  };
  try {
    const status = await run([...argv, '--json']);
    return { status, result: JSON.parse(out) as CommandAnswer['result'] };
  } finally {
    process.stdout.write = write;
  }
}

async function untilAny<T>(ask: () => Promise<readonly T[]>): Promise<readonly T[]> {
  for (let left = tries - 1; ; left--) {
    const answer = await ask();
    if (answer.length > 0 || left === 0) return answer;
    await sleep(lateMs);
  }
}

export function liveSources({ prometheus, jaeger, victoriaLogs }: Addresses): Sources {
  return {
    answer(language, query) {
      if (language === 'promql') return samples(prometheus, query);
      if (language === 'logsql') return untilAny(() => lines(victoriaLogs, query));
      return language === 'jaeger' ? untilAny(() => spans(jaeger, query)) : command(query);
    },
    wait: (ms) => sleep(ms),
  };
}
