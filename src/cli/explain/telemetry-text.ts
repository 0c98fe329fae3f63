import { clipChars } from '../../core/clip.ts';
import { labelled, time } from '../output.ts';
import { escapeControls } from '../text/escape-controls.ts';
import type { AttemptRow } from './attempts.ts';
import { culpritOf } from './backends/matters.ts';
import type { Telemetry } from './backends/read.ts';
import type { Span } from './backends/spans.ts';
import type { TraceLink } from './links.ts';
import { type Lines, logQlOf, logsQlOf } from './queries.ts';

/** All that `holdfast why` says about the trace and the log lines of a task. */
export interface TaskTelemetry extends Telemetry, Lines {
  readonly links: readonly TraceLink[];
  readonly attempts: readonly AttemptRow[];
}

/** The largest numbers of spans and of log lines on one screen, and the most characters of one. */
const shownSpans = 10;
const shownLines = 6;
const shownChars = 160;

const oneLine = (text: string): string => escapeControls(clipChars(text.split('\n')[0] ?? '', shownChars));

/** Returns the lines below the verdict: links, queries, and the line that matters. */
export function telemetryHead(telemetry: TaskTelemetry): string[] {
  const { taskId, links, attempts, lines = [], spans = [] } = telemetry;
  const culprit = culpritOf(taskId, attempts, lines, spans);
  const where = culprit === undefined ? '' : `${time(culprit.atMs)} ${culprit.service} ${culprit.from}`;
  return [
    ...(culprit === undefined ? [] : [labelled('culprit', `${where}: ${oneLine(culprit.text)}`)]),
    ...links.map(({ name, url }) => labelled('link', `${name} ${url}`)),
    labelled('logql', logQlOf(telemetry)),
    labelled('logsql', logsQlOf(telemetry)),
  ];
}

/** Returns how deep a span is below the first span of its trace, as far as its parents are known. */
function depthOf(span: Span, byId: ReadonlyMap<string, Span>): number {
  let depth = 0;
  for (let at = byId.get(span.parentSpanId); at !== undefined && depth < 8; at = byId.get(at.parentSpanId))
    depth++;
  return depth;
}

function spanLines(spans: readonly Span[]): string[] {
  const byId = new Map(spans.map((span) => [span.spanId, span]));
  // Spans that failed are shown first of all if there is no room for every span.
  const errors = new Set(spans.filter(({ isError }) => isError).slice(-shownSpans));
  const others = spans.filter((span) => !errors.has(span)).slice(0, shownSpans - errors.size);
  const shown = spans.filter((span) => errors.has(span) || others.includes(span));
  const rows = shown.map((span) => {
    const { startMs, durationMs, name, service, isError, message } = span;
    const fault = isError ? `  ERROR${message === '' ? '' : `: ${message}`}` : '';
    const text = `${'  '.repeat(depthOf(span, byId))}${name} (${service}) ${Math.round(durationMs)} ms${fault}`;
    return `  ${time(startMs)}  ${oneLine(text)}`;
  });
  const hidden = spans.length - shown.length;
  return ['', 'spans', ...rows, ...(hidden === 0 ? [] : [`  (${hidden} further spans)`])];
}

/** Returns the sections below the attempts: spans and log lines, if a back end has them. */
export function telemetrySections({ spans = [], lines = [] }: TaskTelemetry): string[] {
  const rows = lines
    .slice(-shownLines)
    .map(
      ({ atMs, level, text, service }) => `  ${time(atMs)}  ${level.padEnd(5)} ${service}  ${oneLine(text)}`,
    );
  return [
    ...(spans.length === 0 ? [] : spanLines(spans)),
    ...(rows.length === 0
      ? []
      : ['', rows.length < lines.length ? 'log lines (the newest)' : 'log lines', ...rows]),
  ];
}

export function telemetryJson(telemetry: TaskTelemetry): Record<string, unknown> {
  const { taskId, links, attempts, lines, spans, faults } = telemetry;
  return {
    links,
    queries: { logql: logQlOf(telemetry), logsql: logsQlOf(telemetry) },
    culprit: culpritOf(taskId, attempts, lines ?? [], spans ?? []),
    spans,
    lines,
    backendFaults: faults,
  };
}
