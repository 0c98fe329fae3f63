import type { Clock } from '../../../ports/clock.ts';
import { bodyOf, parsed, send } from '../../backends/request.ts';
import { type BackendConfig, requestBounds, type traceKinds } from './config.ts';
import type { TimeSpan } from './logs.ts';
import { msOf, objectOf, type Span, spansOf, textOf } from './spans.ts';

/** A store of traces. */
export interface TraceStore {
  /** Returns the spans of a trace, the earliest first; none if the store does not know the trace. */
  spansOf(traceId: string): Promise<readonly Span[]>;
  /** Returns the ids of the traces in which a span names a task, the newest first, at most `mostFound` of each service. */
  tracesOf(search: TraceSearch): Promise<readonly string[]>;
}

export interface TraceSearch {
  readonly taskId: string;
  /** The services that may have recorded such a span, since Jaeger searches one service at a time. */
  readonly services: readonly string[];
  readonly span: TimeSpan;
}

const mostFound = 20;

type Kind = (typeof traceKinds)[number];

/** A trace that a search has found. */
interface FoundTrace {
  readonly traceId: string;
  readonly startMs: number;
}

interface Requests {
  /** The path of a trace. Both kinds answer with OTLP JSON. */
  traceOf(traceId: string): string;
  /** The paths of the searches for a task's traces. */
  searchesOf(search: TraceSearch): readonly string[];
  /** Reads the answer of a search. */
  foundIn(answer: unknown): readonly FoundTrace[];
}

const objectsOf = (value: unknown) => (Array.isArray(value) ? value.map(objectOf) : []);

/** An answer may have a million spans, which are too many for the arguments of one call. */
function earliestMs(spans: readonly Readonly<Record<string, unknown>>[]): number {
  return spans.reduce(
    (ms, { startTime }) => Math.min(ms, Number(startTime) / 1_000),
    Number.POSITIVE_INFINITY,
  );
}

const requests: Readonly<Record<Kind, Requests>> = {
  // Jaeger's API v3 answers with OTLP JSON, and knows no search by attributes over HTTP. The API of its web interface does.
  jaeger: {
    traceOf: (traceId) => `/api/v3/traces/${traceId}`,
    searchesOf: ({ taskId, services, span: { fromMs, untilMs } }) =>
      services.map((service) => {
        const tags = JSON.stringify({ 'holdfast.task.id': taskId });
        const times = { start: `${fromMs}000`, end: `${untilMs}000` };
        return `/api/traces?${new URLSearchParams({ service, tags, ...times, limit: `${mostFound}` })}`;
      }),
    foundIn: (answer) =>
      objectsOf(objectOf(answer).data).map(({ traceID, spans }) => ({
        traceId: textOf(traceID),
        startMs: earliestMs(objectsOf(spans)),
      })),
  },
  tempo: {
    traceOf: (traceId) => `/api/v2/traces/${traceId}`,
    searchesOf({ taskId, span: { fromMs, untilMs } }) {
      const q = `{ span.holdfast.task.id = ${JSON.stringify(taskId)} }`;
      const times = { start: `${Math.floor(fromMs / 1_000)}`, end: `${Math.ceil(untilMs / 1_000)}` };
      return [`/api/search?${new URLSearchParams({ q, ...times, limit: `${mostFound}` })}`];
    },
    foundIn: (answer) =>
      objectsOf(objectOf(answer).traces).map(({ traceID, startTimeUnixNano }) => ({
        traceId: textOf(traceID),
        startMs: msOf(startTimeUnixNano),
      })),
  },
};

export function traceStore(config: BackendConfig, clock: Pick<Clock, 'after'>): TraceStore {
  const { traceOf, searchesOf, foundIn } = requests[config.kind as Kind];
  const get = async (path: string): Promise<unknown> => {
    const answer = await send(config, { path }, { clock, ...requestBounds });
    return answer.status === 404 ? undefined : parsed(bodyOf(answer));
  };
  return {
    spansOf: async (traceId) => spansOf(await get(traceOf(traceId))),
    async tracesOf(search) {
      const answers = await Promise.all(searchesOf(search).map(get));
      const found = answers.flatMap(foundIn).filter(({ traceId }) => /^[0-9a-f]{1,32}$/.test(traceId));
      found.sort((one, other) => (other.startMs || 0) - (one.startMs || 0));
      // Tempo leaves out zeros at the beginning of an id.
      return [...new Set(found.map(({ traceId }) => traceId.padStart(32, '0')))];
    },
  };
}
