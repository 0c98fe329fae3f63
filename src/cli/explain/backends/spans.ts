/** Reads spans from OTLP JSON, the form in which Jaeger and Tempo answer. The answers are not trusted: every part may be missing. */

/** One span of a trace. */
export interface Span {
  readonly spanId: string;
  readonly parentSpanId: string;
  readonly name: string;
  readonly service: string;
  readonly startMs: number;
  readonly durationMs: number;
  readonly isError: boolean;
  /** The message of the error; empty if there is none. */
  readonly message: string;
  /** The task that the span belongs to, if it says so. A trace may have the spans of several tasks. */
  readonly taskId: string | undefined;
  /** The number of the attempt that the span belongs to, if it says so. */
  readonly attempt: number | undefined;
}

type Json = Readonly<Record<string, unknown>>;

function objectsOf(value: unknown): Json[] {
  return Array.isArray(value) ? value.filter((one) => typeof one === 'object' && one !== null) : [];
}

export function objectOf(value: unknown): Json {
  return typeof value === 'object' && value !== null ? (value as Json) : {};
}

export function textOf(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
}

/** Returns the attributes of a resource, a span or an event by their keys, as texts. */
function attributesOf(value: unknown): ReadonlyMap<string, string> {
  return new Map(
    objectsOf(objectOf(value).attributes).map(({ key, value: any }) => {
      const { stringValue, intValue, doubleValue } = objectOf(any);
      return [textOf(key), textOf(stringValue ?? intValue ?? doubleValue)];
    }),
  );
}

/** Returns a time of ns since the epoch, which no number holds exactly, in ms; 0 if it is none. */
export function msOf(nanos: unknown): number {
  const text = textOf(nanos);
  return /^\d{7,25}$/.test(text) ? Number(BigInt(text) / 1_000n) / 1_000 : 0;
}

function messageOf(span: Json): string {
  const { message } = objectOf(span.status);
  if (textOf(message) !== '') return textOf(message);
  const exceptions = objectsOf(span.events).map((event) => attributesOf(event).get('exception.message'));
  return exceptions.findLast((one) => one !== undefined && one !== '') ?? '';
}

function spanOf(span: Json, service: string): Span {
  const startMs = msOf(span.startTimeUnixNano);
  const attributes = attributesOf(span);
  const { code } = objectOf(span.status);
  return {
    ...{ spanId: textOf(span.spanId), parentSpanId: textOf(span.parentSpanId), service, startMs },
    name: textOf(span.name),
    durationMs: Math.max(0, msOf(span.endTimeUnixNano) - startMs),
    isError: code === 2 || code === 'STATUS_CODE_ERROR',
    message: messageOf(span),
    taskId: attributes.get('holdfast.task.id') || undefined,
    attempt: Number(attributes.get('holdfast.attempt') ?? attributes.get('attempt')) || undefined,
  };
}

/**
 * Returns the spans of an answer, the earliest first: of `{"result":{"resourceSpans":…}}` (Jaeger),
 * `{"trace":{"resourceSpans":…}}` (Tempo), `{"batches":…}` (Tempo's first API) and `{"resourceSpans":…}`.
 */
export function spansOf(answer: unknown): Span[] {
  const { result, trace, ...plain } = objectOf(answer);
  const holder = objectOf(result ?? trace ?? plain);
  const resources = objectsOf(holder.resourceSpans ?? holder.batches);
  const spans = resources.flatMap((one) => {
    const service = attributesOf(one.resource).get('service.name') ?? '';
    const scopes = objectsOf(one.scopeSpans ?? one.instrumentationLibrarySpans);
    return scopes.flatMap((scope) => objectsOf(scope.spans).map((span) => spanOf(span, service)));
  });
  return spans.sort((one, other) => one.startMs - other.startMs);
}
