import type { Clock } from '../../../ports/clock.ts';
import { shownUrl } from '../../backends/settings.ts';
import type { Lines } from '../queries.ts';
import { backendOf } from './config.ts';
import type { LogLine } from './log-lines.ts';
import { logStore, type TimeSpan } from './logs.ts';
import type { Span } from './spans.ts';
import { traceStore } from './traces.ts';

/** The most traces of later attempts that are read, the newest of those that the log lines name. */
const mostLaterTraces = 3;

/** The spans and the log lines of a task, as far as back ends are configured and have answered. */
export interface Telemetry {
  /** Undefined if no store of traces is configured, or if it has not answered. */
  readonly spans: readonly Span[] | undefined;
  readonly lines: readonly LogLine[] | undefined;
  /** A sentence for each back end that has not answered. */
  readonly faults: readonly string[];
}

/**
 * Reads the spans and the log lines of a task at the same time, and then the traces of later attempts, which the lines name.
 * A back end that is down, slow, refuses the request or is
 * configured in a wrong form is one sentence: the rest of the answer does not depend on it.
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
  const { traceId } = lines;
  const [spans, found] = await Promise.all([
    read('HOLDFAST_TRACES', (config) =>
      traceId === undefined ? undefined : traceStore(config, clock).spansOf(traceId),
    ),
    read('HOLDFAST_LOGS', (config) => logStore(config, clock).linesOf(lines, span)),
  ]);
  const later = new Set(found?.toReversed().flatMap((line) => line.traceId ?? []));
  if (traceId !== undefined) later.delete(traceId);
  const spansOfLater = await Promise.all(
    [...later]
      .slice(0, spans === undefined && traceId !== undefined ? 0 : mostLaterTraces)
      .map((id) => read('HOLDFAST_TRACES', (config) => traceStore(config, clock).spansOf(id))),
  );
  const every = [spans, ...spansOfLater].filter((some) => some !== undefined);
  const sorted = every.flat().sort((one, other) => one.startMs - other.startMs);
  return { spans: every.length === 0 ? undefined : sorted, lines: found, faults: [...new Set(faults)] };
}
