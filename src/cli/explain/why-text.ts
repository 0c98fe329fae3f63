import { clipChars } from '../../core/clip.ts';
import { verdictCodes } from '../../core/explain/verdict.ts';
import { forTenant, lengthOf } from '../../core/explain/words.ts';
import type { Task, TaskEvent } from '../../rpc/gen/holdfast/v1/task_pb.ts';
import type { Verdict } from '../../rpc/gen/holdfast/v1/task_service_pb.ts';
import { labelled, table, time } from '../output.ts';
import { escapeControls } from '../text/escape-controls.ts';
import { eventJson } from '../text/event-json.ts';
import { eventKindName, eventWords, taskJson } from '../text/task-text.ts';
import { type TaskTelemetry, telemetryHead, telemetryJson, telemetrySections } from './telemetry-text.ts';

/** A task with its verdict and its newest events, as the command has read them. */
export interface Explained {
  readonly task: Task;
  /** The tenant that the caller has named; empty for their own. */
  readonly tenant: string;
  readonly verdict: Verdict;
  /** The time of the server at which the verdict held. */
  readonly atMs: number;
  /** The newest events, oldest first. */
  readonly events: readonly TaskEvent[];
  /** The number of older events, which were not read. */
  readonly earlier: number;
  readonly telemetry: TaskTelemetry;
}

/** The largest numbers of events and of attempts on one screen. */
const shownEvents = 16;
const shownAttempts = 8;
/** The most characters of an event's details or of an error. */
const shownChars = 160;

/** Returns the code of a verdict, or `UNKNOWN` if the server is newer than this command. */
export function codeOf({ code }: Pick<Verdict, 'code'>): string {
  return verdictCodes[code] ?? 'UNKNOWN';
}

/** Returns the trace id of the W3C traceparent of a task's submission. */
export function traceIdOf({ traceparent }: Task): string | undefined {
  return /^[0-9a-f]{2}-([0-9a-f]{32})-/.exec(traceparent)?.[1];
}

/** Returns a length of time in words, in ms if it is short. */
function waitText(ms: number): string {
  return ms < 1_000 ? `${Math.max(0, ms)} ms` : lengthOf(ms);
}

/** Returns each event with the time that passed since the event before it; the wait of the first one shown may be unknown. */
function withWaits({ events, earlier }: Explained): { event: TaskEvent; waitMs: number | undefined }[] {
  return events.map((event, i) => {
    const before = events[i - 1];
    if (before === undefined) return { event, waitMs: earlier === 0 ? 0 : undefined };
    return { event, waitMs: Number(event.atMs - before.atMs) };
  });
}

function traceText({ task, telemetry }: Explained): string | undefined {
  const traceId = traceIdOf(task);
  if (traceId === undefined || telemetry.isTraceKept !== false) return traceId;
  return `${traceId} (the store of traces has not kept it; the timeline is from the task's history)`;
}

export function whyJson(explained: Explained): Record<string, unknown> {
  const { task, verdict, atMs, earlier } = explained;
  return {
    verdict: codeOf(verdict),
    sentence: verdict.sentence,
    sinceMs: verdict.sinceMs || undefined,
    untilMs: verdict.untilMs || undefined,
    evidence: verdict.evidence,
    next: verdict.nextCommand || undefined,
    atMs,
    traceId: traceIdOf(task),
    isTraceKept: explained.telemetry.isTraceKept,
    task: taskJson(task),
    timeline: withWaits(explained).map(({ event, waitMs }, i) => ({
      ...eventJson(event, earlier + i),
      waitMs,
    })),
    attempts: explained.telemetry.attempts,
    ...telemetryJson(explained.telemetry),
  };
}

function span(ms: bigint, atMs: number): string {
  const aheadMs = Number(ms) - atMs;
  return `${time(ms)} (${aheadMs > 0 ? `in ${lengthOf(aheadMs)}` : `${lengthOf(-aheadMs)} ago`})`;
}

function head(explained: Explained): string[] {
  const { task, verdict, atMs, telemetry } = explained;
  const { spec, queue, idempotencyKey: key } = task;
  const names = [`queue ${queue}`, `type ${spec?.type ?? ''}@${spec?.typeVersion ?? 1}`, key && `key ${key}`];
  const lane = spec?.orderingKey ? `ordering key ${spec.orderingKey}` : '';
  const evidence = Object.entries(verdict.evidence).map(([name, value]) => `${name} ${value}`);
  const fields: Record<string, string | undefined> = {
    task: `${task.id} (${[...names, lane].filter((part) => part).join(', ')})`,
    since: verdict.sinceMs === 0n ? undefined : span(verdict.sinceMs, atMs),
    until: verdict.untilMs === 0n ? undefined : span(verdict.untilMs, atMs),
    evidence: evidence.length === 0 ? undefined : evidence.sort().join(', '),
    trace: traceText(explained),
    next: verdict.nextCommand || undefined,
  };
  const lines = Object.entries(fields).flatMap(([name, value]) => (value ? [labelled(name, value)] : []));
  return [`${codeOf(verdict)}: ${escapeControls(verdict.sentence)}`, ...lines, ...telemetryHead(telemetry)];
}

function timeline(explained: Explained): string[] {
  const all = withWaits(explained);
  const { task, atMs } = explained;
  const hidden = explained.earlier + Math.max(0, all.length - shownEvents);
  const history = forTenant(`holdfast show ${task.id} --history`, explained.tenant);
  const more = hidden === 0 ? [] : [`  (${hidden} earlier events: ${history})`];
  const lines = all.slice(-shownEvents).map(({ event, waitMs }, i) => {
    const wait = waitMs === undefined || i === 0 ? '' : `+${waitText(waitMs)}`;
    const words = `${eventKindName(event).padEnd(16)} ${clipChars(eventWords(event), shownChars)}`;
    return `  ${time(event.atMs)}  ${wait.padStart(11)}  ${words}`.trimEnd();
  });
  const last = all.at(-1);
  const sinceLast = last === undefined ? '' : `+${waitText(atMs - Number(last.event.atMs))}`;
  return ['', 'timeline', ...more, ...lines, `  ${time(atMs)}  ${sinceLast.padStart(11)}  now`];
}

function attempts({ earlier, task, telemetry }: Explained): string[] {
  const all = telemetry.attempts;
  if (all.length === 0) return [];
  const rows = all
    .slice(-shownAttempts)
    .map((row) => [
      `${row.attempt}/${task.maxAttempts}`,
      row.worker,
      time(row.claimedAtMs),
      waitText(row.durationMs),
      row.outcome,
      clipChars(row.error.split('\n')[0] ?? '', shownChars),
    ]);
  const isCut = earlier > 0 || all.length > shownAttempts;
  const title = isCut ? 'attempts (the newest)' : 'attempts';
  return ['', title, table(['ATTEMPT', 'WORKER', 'CLAIMED', 'DURATION', 'OUTCOME', 'ERROR'], rows)];
}

/**
 * Returns one screen about a task: its verdict, its events with the waits between them, its attempts, and the spans and log
 * lines that back ends have.
 */
export function whyText(explained: Explained): string {
  const { telemetry } = explained;
  const sections = [timeline(explained), attempts(explained), telemetrySections(telemetry)];
  return [head(explained), ...sections].flat().join('\n');
}
