import { parseShallow } from '../../backends/shallow-json.ts';
import { objectOf, textOf } from './spans.ts';

/** One log line of a server or of a worker. */
export interface LogLine {
  readonly atMs: number;
  /** The level in small letters, such as `error`; empty if it is not known. */
  readonly level: string;
  readonly text: string;
  readonly service: string;
  /** The task that the line belongs to, if it says so. */
  readonly taskId: string | undefined;
  /** The number of the attempt that the line belongs to, if it says so. */
  readonly attempt: number | undefined;
  /** The trace that the line belongs to, if it says so. A later attempt has a trace of its own. */
  readonly traceId: string | undefined;
}

/** The levels of pino by their numbers. */
const pinoLevels: ReadonlyMap<string, string> = new Map(
  Object.entries({ 10: 'trace', 20: 'debug', 30: 'info', 40: 'warn', 50: 'error', 60: 'fatal' }),
);

/** The names of an error's message, also as the export over OTLP and Loki, which has no dots in names, write them. */
const errorNames = ['err.message', 'exception.message', 'exception_message', 'error'];

type Fields = Readonly<Record<string, unknown>>;

/** Returns the first of some fields that has a text. */
function firstOf(fields: Fields, ...names: readonly string[]): string {
  for (const name of names) {
    const text = textOf(fields[name]);
    if (text !== '') return text;
  }
  return '';
}

function fieldsOf(text: string): Fields {
  if (!text.startsWith('{')) return {};
  try {
    return objectOf(parseShallow(text));
  } catch {
    return {};
  }
}

/** Makes a line from its text and the fields that a store keeps with it. A text that is a JSON object adds its own fields. */
export function lineOf(atMs: number, text: string, kept: Fields): LogLine {
  const fields = { ...kept, ...fieldsOf(text) };
  const level = firstOf(fields, 'severity_text', 'severity', 'level', 'detected_level').toLowerCase();
  const error = firstOf(objectOf(fields.err), 'message') || firstOf(fields, ...errorNames);
  const message = firstOf(fields, 'msg', 'message', '_msg') || text;
  return {
    atMs,
    level: pinoLevels.get(level) ?? level,
    text: error === '' || message.includes(error) ? message : `${message}: ${error}`,
    service: firstOf(fields, 'service.name', 'service_name', 'service'),
    taskId: firstOf(fields, 'task_id') || undefined,
    attempt: Number(firstOf(fields, 'attempt', 'holdfast.attempt')) || undefined,
    traceId: /^[0-9a-f]{32}$/.exec(firstOf(fields, 'trace_id'))?.[0],
  };
}
