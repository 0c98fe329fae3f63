import type { Clock } from '../../../ports/clock.ts';
import { bodyOf, parsed, send } from '../../backends/request.ts';
import { type BackendConfig, requestBounds, type traceKinds } from './config.ts';
import { type Span, spansOf } from './spans.ts';

/** A store of traces. */
export interface TraceStore {
  /** Returns the spans of a trace, the earliest first; none if the store does not know the trace. */
  spansOf(traceId: string): Promise<readonly Span[]>;
}

type Kind = (typeof traceKinds)[number];

/** The path of a trace: Jaeger's API v3 and Tempo's API v2 both answer with OTLP JSON. */
const paths: Readonly<Record<Kind, (traceId: string) => string>> = {
  jaeger: (traceId) => `/api/v3/traces/${traceId}`,
  tempo: (traceId) => `/api/v2/traces/${traceId}`,
};

export function traceStore(config: BackendConfig, clock: Pick<Clock, 'after'>): TraceStore {
  return {
    async spansOf(traceId) {
      const answer = await send(
        config,
        { path: paths[config.kind as Kind](traceId) },
        { clock, ...requestBounds },
      );
      return answer.status === 404 ? [] : spansOf(parsed(bodyOf(answer)));
    },
  };
}
