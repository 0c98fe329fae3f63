import type { Clock } from '../../../ports/clock.ts';
import { bodyOf, parsed, send } from '../../backends/request.ts';
import { type Lines, logQlOf, logsQlOf } from '../queries.ts';
import { type BackendConfig, type logKinds, requestBounds } from './config.ts';
import { type LogLine, lineOf } from './log-lines.ts';
import { msOf, objectOf, textOf } from './spans.ts';

/** A store of log lines. */
export interface LogStore {
  /** Returns the newest lines about a task within a time span, the earliest first, at most `mostLines`. */
  linesOf(lines: Lines, span: TimeSpan): Promise<readonly LogLine[]>;
}

/** The times between which lines are searched, in ms since the epoch. */
export interface TimeSpan {
  readonly fromMs: number;
  readonly untilMs: number;
}

const mostLines = 200;

type Reader = (
  config: BackendConfig,
  clock: Pick<Clock, 'after'>,
  lines: Lines,
  span: TimeSpan,
) => Promise<LogLine[]>;

const readers: Readonly<Record<(typeof logKinds)[number], Reader>> = {
  victorialogs: readVictoriaLogs,
  loki: readLoki,
};

export function logStore(config: BackendConfig, clock: Pick<Clock, 'after'>): LogStore {
  const read = readers[config.kind as keyof typeof readers];
  return {
    async linesOf(lines, span) {
      const found = await read(config, clock, lines, span);
      return found.sort((one, other) => one.atMs - other.atMs).slice(-mostLines);
    },
  };
}

/** VictoriaLogs answers with a JSON object a line. */
async function readVictoriaLogs(...[config, clock, lines, { fromMs, untilMs }]: Parameters<Reader>) {
  const form = {
    query: `${logsQlOf(lines)} | sort by (_time desc) | limit ${mostLines}`,
    start: new Date(fromMs).toISOString(),
    end: new Date(untilMs).toISOString(),
  };
  const answer = await send(
    config,
    { path: '/select/logsql/query', form, accept: '*/*' },
    { clock, ...requestBounds },
  );
  const rows = bodyOf(answer).split('\n');
  return rows
    .filter((row) => row.trim() !== '')
    .map((row) => {
      const { _time, _msg, ...fields } = objectOf(parsed(row));
      return lineOf(Date.parse(textOf(_time)) || 0, textOf(_msg), fields);
    });
}

/** Loki answers with streams of pairs: the time in ns, the text, and perhaps the structured metadata of the line. */
async function readLoki(...[config, clock, lines, { fromMs, untilMs }]: Parameters<Reader>) {
  const query = new URLSearchParams({
    query: logQlOf(lines),
    start: `${fromMs}000000`,
    end: `${untilMs}000000`,
    limit: String(mostLines),
    direction: 'backward',
  });
  const answer = await send(
    config,
    { path: `/loki/api/v1/query_range?${query}` },
    { clock, ...requestBounds },
  );
  const { data } = objectOf(parsed(bodyOf(answer)));
  const { result } = objectOf(data);
  return (Array.isArray(result) ? result : []).map(objectOf).flatMap(({ stream, values }) =>
    (Array.isArray(values) ? values : []).filter(Array.isArray).map(([nanos, text, kept]) => {
      const { structuredMetadata = {}, parsed: found = {} } = objectOf(kept);
      const fields = { ...objectOf(stream), ...objectOf(structuredMetadata), ...objectOf(found) };
      return lineOf(Math.floor(msOf(nanos)), textOf(text), fields);
    }),
  );
}
