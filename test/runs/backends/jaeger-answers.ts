/** Reads the answers of Jaeger's two APIs: the spans of OTLP JSON, and the references of the legacy form. */
import type { ReceivedSpan } from '../../fixtures/otlp-receiver.ts';

type Json = Readonly<Record<string, unknown>>;
type Value = string | number | boolean;

const kinds = ['unspecified', 'internal', 'server', 'client', 'producer', 'consumer'] as const;
const statuses = ['unset', 'ok', 'error'] as const;

const listOf = (value: unknown): readonly Json[] => (Array.isArray(value) ? (value as Json[]) : []);

function attributesOf(value: unknown): Record<string, Value> {
  const read = ({ stringValue, intValue, doubleValue, boolValue }: Json): Value =>
    intValue !== undefined ? Number(intValue) : ((stringValue ?? doubleValue ?? boolValue ?? '') as Value);
  return Object.fromEntries(listOf(value).map(({ key, value: any }) => [String(key), read(any as Json)]));
}

const msOf = (nanos: unknown): number => Number(BigInt(String(nanos)) / 1_000n) / 1_000;

function spanOf(span: Json, resource: ReceivedSpan['resource']): ReceivedSpan {
  const { code = 0, message = '' } = (span.status ?? {}) as Json;
  return {
    traceId: String(span.traceId),
    spanId: String(span.spanId),
    parentId: String(span.parentSpanId ?? ''),
    name: String(span.name),
    kind: kinds[Number(span.kind ?? 0)] ?? 'unspecified',
    startMs: msOf(span.startTimeUnixNano),
    endMs: msOf(span.endTimeUnixNano),
    attributes: attributesOf(span.attributes),
    links: listOf(span.links).map(({ traceId, spanId }) => ({
      traceId: String(traceId),
      spanId: String(spanId),
    })),
    status: statuses[Number(code)] ?? 'unset',
    statusMessage: String(message),
    resource,
  };
}

/** Returns the spans of an answer of `/api/v3/traces`, of one trace or of several. */
export function spansOf(answer: unknown): readonly ReceivedSpan[] {
  const { result } = answer as { readonly result?: Json };
  return listOf(result?.resourceSpans).flatMap(({ resource, scopeSpans }) => {
    const named = attributesOf((resource as Json | undefined)?.attributes);
    return listOf(scopeSpans).flatMap(({ spans }) => listOf(spans).map((span) => spanOf(span, named)));
  });
}

/** A reference of a span in the legacy form. A link of OTLP is FOLLOWS_FROM there. */
export interface Reference {
  readonly spanId: string;
  readonly kind: string;
  readonly toTraceId: string;
  readonly toSpanId: string;
}

/** Returns the references of an answer of `/api/traces/{id}`. */
export function referencesOf(answer: unknown): readonly Reference[] {
  return listOf((answer as Json).data).flatMap(({ spans }) =>
    listOf(spans).flatMap(({ spanID, references }) =>
      listOf(references).map(({ refType, traceID, spanID: toSpanId }) => ({
        spanId: String(spanID),
        kind: String(refType),
        toTraceId: String(traceID),
        toSpanId: String(toSpanId),
      })),
    ),
  );
}
