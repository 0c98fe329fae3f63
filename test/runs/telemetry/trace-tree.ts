/** Puts the spans of a task together: the trees of its traces, and the spans whose parents are missing. */
import type { ReceivedSpan } from '../../fixtures/otlp-receiver.ts';

const service = 'service.name';

/** Returns the spans whose parent was not received. The parents of roots are none. */
export function orphansOf(spans: readonly ReceivedSpan[]): readonly ReceivedSpan[] {
  const known = new Set(spans.map(({ traceId, spanId }) => `${traceId}/${spanId}`));
  return spans.filter(
    ({ parentId, traceId, links }) =>
      (parentId !== '' && !known.has(`${traceId}/${parentId}`)) ||
      links.some((link) => !known.has(`${link.traceId}/${link.spanId}`)),
  );
}

/** Returns the traces that belong to a task: that of its submission first, then those that link to it, by their times. */
export function tracesOf(spans: readonly ReceivedSpan[], taskId: string): readonly string[] {
  const own = spans.filter(({ attributes }) => attributes['holdfast.task.id'] === taskId);
  const sorted = own.toSorted((a, b) => a.startMs - b.startMs);
  return [...new Set(sorted.map(({ traceId }) => traceId))];
}

/** Returns the lines of a trace as a tree, each with its service, its start after the first span, and its length. */
export function treeOf(spans: readonly ReceivedSpan[], traceId: string): readonly string[] {
  const own = spans.filter((span) => span.traceId === traceId).toSorted((a, b) => a.startMs - b.startMs);
  const startMs = own[0]?.startMs ?? 0;
  const lines: string[] = [];
  const add = (span: ReceivedSpan, depth: number): void => {
    const { attributes, links, status } = span;
    const notes = [
      attributes['holdfast.attempt'] !== undefined && `attempt ${attributes['holdfast.attempt']}`,
      attributes['holdfast.outcome'],
      status === 'error' && `error ${attributes['error.type'] ?? ''}`,
      links.length > 0 && 'links to the submission',
    ].filter((note) => typeof note === 'string');
    const times = `+${(span.startMs - startMs).toFixed(1)} ms, ${(span.endMs - span.startMs).toFixed(1)} ms`;
    const text = `${'  '.repeat(depth)}${span.name}`;
    lines.push(
      `${text.padEnd(50)} ${String(span.resource[service]).padEnd(16)} ${times}  ${notes.join(', ')}`,
    );
    for (const child of own) if (child.parentId === span.spanId) add(child, depth + 1);
  };
  const known = new Set(own.map(({ spanId }) => spanId));
  for (const span of own) if (!known.has(span.parentId)) add(span, 0);
  return lines;
}
