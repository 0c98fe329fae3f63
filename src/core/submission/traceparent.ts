/** The length of a traceparent of version 00, as all versions begin: version, trace id, parent id, flags. */
const length = 55;

/**
 * Returns true if a traceparent is of a sampled trace: the lowest bit of its flags is set. The other bits may be set too.
 * It is called for every task, so it looks at one character; that the rest is well-formed was checked on acceptance.
 */
export function isSampled(traceparent: string): boolean {
  if (traceparent.length < length) return false;
  const digit = traceparent.charCodeAt(length - 1);
  // The codes of the digits 0 to 9 are 48 to 57, those of a to f 97 to 102.
  return (digit & 1) === (digit > 57 ? 0 : 1);
}

const dash = 45;
const zero = 48;

/** Returns true if the characters from `from` to `to` are lowercase hexadecimal digits, not all of them zero unless `mayBeZero`. */
function isHex(text: string, from: number, to: number, mayBeZero: boolean): boolean {
  let isZero = true;
  for (let i = from; i < to; i++) {
    const code = text.charCodeAt(i);
    if (code !== zero) isZero = false;
    if (!((code >= 48 && code <= 57) || (code >= 97 && code <= 102))) return false;
  }
  return mayBeZero || !isZero;
}

/**
 * Returns true if a text is a W3C traceparent (https://www.w3.org/TR/trace-context/#traceparent-header). It is called for every
 * task of a caller with traces, and takes a third of the time that a regular expression takes.
 */
export function isTraceparent(text: string): boolean {
  const hasForm =
    text.length === length &&
    text.charCodeAt(2) === dash &&
    text.charCodeAt(35) === dash &&
    text.charCodeAt(52) === dash &&
    !text.startsWith('ff');
  return (
    hasForm &&
    isHex(text, 0, 2, true) &&
    isHex(text, 3, 35, false) &&
    isHex(text, 36, 52, false) &&
    isHex(text, 53, 55, true)
  );
}

/**
 * Returns true if a traceparent is of a trace that is not sampled. Of its form only the length and the dashes are looked at:
 * this is called for every task, and a malformed one is dropped by the server.
 */
export function isUnsampled(traceparent: string): boolean {
  const hasForm =
    traceparent.length === length &&
    traceparent.charCodeAt(2) === dash &&
    traceparent.charCodeAt(35) === dash &&
    traceparent.charCodeAt(52) === dash;
  return hasForm && !isSampled(traceparent);
}

/** The ids of a trace and of one of its spans, as log lines name them. */
export interface TraceIds {
  readonly trace_id?: string;
  readonly span_id?: string;
}

const noIds: TraceIds = Object.freeze({});

/** Returns the ids in a traceparent; none if it is empty. */
export function traceIdsOf(traceparent: string): TraceIds {
  const [, traceId, spanId] = traceparent.split('-');
  return traceId === undefined || spanId === undefined ? noIds : { trace_id: traceId, span_id: spanId };
}
