/** Converts a log line to the record that an exporter of OpenTelemetry sends. */
import type { Attributes, AttributeValue, SeverityNumber } from '@opentelemetry/api';
import type { ReadableLogRecord } from '@opentelemetry/sdk-logs';
import { hrTime } from '../metrics/otlp/otlp-data.ts';

/** The severities of OpenTelemetry by pino's levels, so that this module needs no package when it is loaded. */
const severities: Readonly<Record<number, readonly [number: SeverityNumber, text: string]>> = {
  10: [1, 'TRACE'],
  20: [5, 'DEBUG'],
  30: [9, 'INFO'],
  40: [13, 'WARN'],
  50: [17, 'ERROR'],
  60: [21, 'FATAL'],
};

/** The names that the semantic conventions give to the fields of an error. */
const exceptionNames: Readonly<Record<string, string>> = {
  'err.type': 'exception.type',
  'err.message': 'exception.message',
  'err.stack': 'exception.stacktrace',
};

type Fields = Readonly<Record<string, unknown>>;
/** The parts of a record that all lines of a process share. */
export type SharedParts = Pick<ReadableLogRecord, 'resource' | 'instrumentationScope'>;

/**
 * Returns the record of a line of the default log. The fields of nested objects become attributes with dots in their names,
 * because not every store of lines can search within an object. The process names itself by its resource, so that the line's
 * `pid` and `hostname` are left out.
 */
export function logRecord(line: string, observedAtMs: number, shared: SharedParts): ReadableLogRecord {
  const { level, time, msg, pid, hostname, trace_id, span_id, ...others } = fieldsOf(line);
  const [severityNumber, severityText] = severities[Number(level)] ?? [];
  const traceId = idOf(trace_id, 32);
  const spanId = idOf(span_id, 16);
  const attributes = new Map<string, AttributeValue>();
  addAttributes(attributes, '', others);
  return {
    ...shared,
    hrTime: hrTime(typeof time === 'number' ? time : observedAtMs),
    hrTimeObserved: hrTime(observedAtMs),
    ...(traceId === '' ? {} : { spanContext: { traceId, spanId, traceFlags: 0 } }),
    ...(severityNumber === undefined ? {} : { severityNumber }),
    ...(severityText === undefined ? {} : { severityText }),
    body: typeof msg === 'string' ? msg : '',
    attributes: Object.fromEntries(attributes) as Attributes,
    droppedAttributesCount: 0,
  };
}

function fieldsOf(line: string): Fields {
  try {
    return JSON.parse(line) as Fields;
  } catch {
    return { msg: line };
  }
}

/** Returns an id of hexadecimal digits, or an empty text for any other value. */
function idOf(value: unknown, digits: number): string {
  return typeof value === 'string' && value.length === digits && /^[0-9a-f]+$/.test(value) ? value : '';
}

function addAttributes(attributes: Map<string, AttributeValue>, prefix: string, fields: object): void {
  for (const [key, value] of Object.entries(fields)) {
    const name = `${prefix}${key}`;
    if (isAttribute(value)) attributes.set(exceptionNames[name] ?? name, value);
    else if (typeof value === 'object' && value !== null) addAttributes(attributes, `${name}.`, value);
  }
}

function isAttribute(value: unknown): value is AttributeValue {
  if (Array.isArray(value)) return value.every((one) => typeof one === 'string');
  return ['string', 'number', 'boolean'].includes(typeof value);
}
