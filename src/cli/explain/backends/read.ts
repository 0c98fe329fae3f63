import type { Clock } from '../../../ports/clock.ts';
import { shownUrl } from '../../backends/settings.ts';
import type { Lines } from '../queries.ts';
import { backendOf } from './config.ts';
import type { LogLine } from './log-lines.ts';
import { logStore, type TimeSpan } from './logs.ts';
import type { Span } from './spans.ts';
import { type TraceStore, traceStore } from './traces.ts';

/** The most traces of later attempts that are read, the newest ones. */
const mostLaterTraces = 5;
/** The most services whose spans are searched for a task. */
const mostServices = 4;
/** The services whose spans name a task, if the trace of its submission is not known. */
const usualServices = ['holdfast-server', 'holdfast-worker'];

/** The spans and the log lines of a task, as far as back ends are configured and have answered. */
export interface Telemetry {
  /** Undefined if no store of traces is configured, or if it has not answered. */
  readonly spans: readonly Span[] | undefined;
  readonly lines: readonly LogLine[] | undefined;
  /**
   * Whether the store has the trace of the submission: a collector may keep a sample alone. Undefined if no store has answered, or if
   * the submission had no trace.
   */
  readonly isTraceKept: boolean | undefined;
  /** A sentence for each back end that has not answered. */
  readonly faults: readonly string[];
}

/**
 * Reads the spans and the log lines of a task at the same time, and then the traces of later attempts, which a search for the
 * task finds or the lines name. A back end that is down, slow, refuses the request or is configured in a wrong form is one
 * sentence: the rest of the answer does not depend on it.
 */
export async function readTelemetry(
  env: Readonly<Record<string, string | undefined>>,
  lines: Lines,
  span: TimeSpan,
  clock: Pick<Clock, 'after'>,
): Promise<Telemetry> {
  const faults: string[] = [];
  async function read<T>(
    name: 'HOLDFAST_TRACES' | 'HOLDFAST_LOGS',
    use: (config: NonNullable<ReturnType<typeof backendOf>>) => Promise<T> | undefined,
  ): Promise<T | undefined> {
    let what = name as string;
    try {
      const config = backendOf(env, name);
      if (config === undefined) return undefined;
      what = `${config.kind} at ${shownUrl(config)}`;
      return await use(config);
    } catch (thrown) {
      const { message, help = '' } = thrown as Error & { help?: string };
      faults.push(help === '' ? `${what} ${message}.` : `${message} ${help}`);
      return undefined;
    }
  }
  const { traceId, taskId } = lines;
  const inTraces = <T>(use: (store: TraceStore) => Promise<T>) =>
    read('HOLDFAST_TRACES', (config) => use(traceStore(config, clock)));
  const [spans, found] = await Promise.all([
    inTraces(async (store) => (traceId === undefined ? [] : await store.spansOf(traceId))),
    read('HOLDFAST_LOGS', (config) => logStore(config, clock).linesOf(lines, span)),
  ]);
  // A store that has not answered once gets no further request.
  if (spans === undefined)
    return { spans, lines: found, isTraceKept: undefined, faults: [...new Set(faults)] };
  const isTraceKept = traceId === undefined ? undefined : spans.length > 0;
  const services = servicesOf(spans, taskId);
  const searched = await inTraces((store) => store.tracesOf({ taskId, services, span }));
  const named = found?.toReversed().flatMap((line) => line.traceId ?? []);
  const later = new Set([...(searched ?? []), ...(named ?? [])]);
  if (traceId !== undefined) later.delete(traceId);
  const reads = [...later].slice(0, mostLaterTraces).map((id) => inTraces((store) => store.spansOf(id)));
  const every = [spans, ...(await Promise.all(reads))].flatMap((some) => some ?? []);
  const sorted = every.sort((one, other) => one.startMs - other.startMs);
  return { spans: sorted, lines: found, isTraceKept, faults: [...new Set(faults)] };
}

/** Returns the services that recorded spans of a task in the trace of its submission. */
function servicesOf(spans: readonly Span[], taskId: string): readonly string[] {
  const own = spans.filter((span) => span.taskId === taskId && span.service !== '');
  const services = [...new Set(own.map(({ service }) => service))];
  return services.length === 0 ? usualServices : services.slice(0, mostServices);
}
