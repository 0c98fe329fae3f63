/** Reads the spans of an answer of Jaeger's search, `/api/traces`. */
import type { Span } from './answers.ts';

interface Tag {
  readonly key: string;
  readonly value: string | number | boolean;
}

interface SearchedTrace {
  readonly spans: readonly {
    readonly traceID: string;
    readonly spanID: string;
    readonly operationName: string;
    readonly references: readonly { readonly refType: string; readonly spanID: string }[];
    readonly duration: number;
    readonly tags: readonly Tag[];
    readonly processID: string;
  }[];
  readonly processes: Readonly<
    Record<string, { readonly serviceName: string; readonly tags?: readonly Tag[] }>
  >;
}

function attributesOf(tags: readonly Tag[] = []): Span['attributes'] {
  return Object.fromEntries(tags.map(({ key, value }) => [key, value]));
}

export interface SearchAnswer {
  readonly data: readonly SearchedTrace[] | null;
}

export function searchedSpans(answer: SearchAnswer): readonly Span[] {
  return (answer.data ?? []).flatMap(({ spans, processes }) =>
    spans.map((span) => {
      const attributes = attributesOf(span.tags);
      const process = processes[span.processID];
      const parent = span.references.find(({ refType }) => refType === 'CHILD_OF');
      return {
        ...{ traceId: span.traceID, spanId: span.spanID, parentId: parent?.spanID ?? '' },
        ...{ name: span.operationName, kind: String(attributes['span.kind'] ?? 'internal') },
        ...{ ms: span.duration / 1_000, isError: attributes.error === true, attributes },
        service: process?.serviceName ?? '',
        version: String(attributesOf(process?.tags)['service.version'] ?? ''),
      };
    }),
  );
}
