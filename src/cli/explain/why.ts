import type { Command } from '@commander-js/extra-typings';
import type { Transport } from '../../client/transport.ts';
import { asHoldfastError } from '../../core/errors.ts';
import { systemClock } from '../../platform/clock.ts';
import type { TaskEvent } from '../../rpc/gen/holdfast/v1/task_pb.ts';
import { TaskService } from '../../rpc/gen/holdfast/v1/task_service_pb.ts';
import { withServer } from '../connection/connect.ts';
import { usage } from '../exit-codes.ts';
import type { Globals } from '../globals.ts';
import { labelled, type Output, time } from '../output.ts';
import { escapeControls } from '../text/escape-controls.ts';
import { attemptsOf } from './attempts.ts';
import { readTelemetry } from './backends/read.ts';
import {
  candidateNotes,
  candidatesJson,
  candidatesText,
  type Found,
  tasksOfLane,
  tasksOfTime,
  verdictsOf,
} from './candidates.ts';
import { traceLinks } from './links.ts';
import { submittedAt } from './submitted-at.ts';
import type { TaskTelemetry } from './telemetry-text.ts';
import { type Explained, traceIdOf, whyJson, whyText } from './why-text.ts';

/** The form of the ids that the engines make. A text of another form was never an id. */
const idPattern = /^([A-Za-z0-9_-]{22}[.~][0-9a-z]{1,11}|[0-9a-z]{1,11}[-.][0-9a-z]{1,11})$/;
/** The most events that are read for one screen. */
const mostEvents = 200;

type TaskReference =
  | { readonly tenant: string; readonly id: string }
  | { readonly tenant: string; readonly queue: string; readonly idempotencyKey: string };

async function explain(transport: Transport, reference: TaskReference): Promise<Explained> {
  const { explainTask, getTaskHistory } = TaskService.method;
  const { task, verdict, atMs } = await transport.call(explainTask, reference, {});
  if (task === undefined || verdict === undefined) throw new TypeError('the server sent no verdict');
  const earlier = Math.max(0, task.version - mostEvents);
  const request = { id: task.id, tenant: reference.tenant };
  const events: TaskEvent[] = [];
  for (let more = true; more; ) {
    const page = await transport.call(
      getTaskHistory,
      { ...request, fromVersion: earlier + events.length },
      {},
    );
    events.push(...page.events);
    more = page.hasMore && page.events.length > 0 && events.length < mostEvents;
  }
  const known = { task, tenant: reference.tenant, verdict, atMs: Number(atMs), events, earlier };
  return { ...known, telemetry: await telemetryOf(known) };
}

/** The time in ms for which the lines of a task may be older or newer than its events, since clocks differ. */
const aroundMs = 60_000;

/** Reads what back ends know about a task, and makes the links to its trace. */
async function telemetryOf({
  task,
  atMs,
  events,
}: Pick<Explained, 'task' | 'atMs' | 'events'>): Promise<TaskTelemetry> {
  const clock = systemClock();
  const traceId = traceIdOf(task);
  const lines = { taskId: task.id, traceId };
  const untilMs = Math.min(atMs, Number(task.endedAtMs) || atMs) + aroundMs;
  const span = { fromMs: Number(task.acceptedAtMs) - aroundMs, untilMs };
  const { links, faults } =
    traceId === undefined ? { links: [], faults: [] } : traceLinks(process.env.HOLDFAST_TRACE_LINK, traceId);
  const found = await readTelemetry(process.env, lines, span, clock);
  return {
    ...found,
    ...lines,
    faults: [...faults, ...found.faults],
    links,
    attempts: attemptsOf(events, atMs),
  };
}

/** Prints that a task is not kept. A user who asks for the cause gets this as the answer, not as an error. */
function printGone(output: Output, id: string): void {
  const sentence =
    'There is no such task that you may read: it was deleted after its retention, or there never was one.';
  output.result({ verdict: 'GONE', sentence, evidence: { id } }, () =>
    [`GONE: ${sentence}`, labelled('task', id)].join('\n'),
  );
}

async function whyOne(transport: Transport, output: Output, reference: TaskReference): Promise<void> {
  try {
    const explained = await explain(transport, reference);
    output.result(whyJson(explained), () => whyText(explained));
    for (const fault of explained.telemetry.faults) output.note(escapeControls(fault));
  } catch (thrown) {
    const { reason } = asHoldfastError(thrown);
    const id = 'id' in reference && idPattern.test(reference.id) ? reference.id : undefined;
    if (reason !== 'TASK_NOT_FOUND' || id === undefined) throw thrown;
    printGone(output, id);
  }
}

async function whyEach(transport: Transport, output: Output, found: Found, tenant: string): Promise<void> {
  const [only] = found.tasks;
  if (only !== undefined && found.count === 1 && !found.isCut)
    return whyOne(transport, output, { id: only.id, tenant });
  const candidates = await verdictsOf(transport, found, tenant);
  output.result(candidatesJson(candidates, found), () => candidatesText(candidates));
  for (const note of candidateNotes(found, tenant)) output.note(note);
}

interface WhyOptions {
  readonly queue?: string | undefined;
  readonly key?: string | undefined;
  readonly orderingKey?: string | undefined;
  readonly submittedAt?: string | undefined;
  readonly date?: string | undefined;
  readonly tenant: string;
}

/** Refuses a command line that names no task, or names one in two ways. */
function checkOptions(id: string | undefined, options: WhyOptions): void {
  const { key, orderingKey, submittedAt, date, queue } = options;
  const ways = [id, key, orderingKey, submittedAt].filter((way) => way !== undefined);
  const help =
    'Give an id, or --queue with one of --key, --ordering-key and --submitted-at: holdfast why --queue mail --submitted-at 10:03:45';
  if (ways.length === 0) throw usage('No task is named.', help);
  if (ways.length > 1) throw usage('The task is named in several ways.', help);
  if (id !== undefined && queue !== undefined) throw usage('An id needs no --queue.', 'Leave --queue out.');
  if (date !== undefined && submittedAt === undefined)
    throw usage('--date is given without --submitted-at.', 'Give both, or neither.');
}

async function why(
  transport: Transport,
  output: Output,
  id: string | undefined,
  options: WhyOptions,
): Promise<void> {
  const { tenant, queue = 'default', key, orderingKey } = options;
  if (id !== undefined) return whyOne(transport, output, { id, tenant });
  if (key !== undefined) return whyOne(transport, output, { tenant, queue, idempotencyKey: key });
  const of = { tenant, queue };
  if (orderingKey !== undefined)
    return whyEach(transport, output, await tasksOfLane(transport, of, orderingKey), tenant);
  const { timeZone: zone } = new Intl.DateTimeFormat().resolvedOptions();
  const nowMs = systemClock().now();
  const at = submittedAt(options.submittedAt ?? '', options.date, { nowMs, zone });
  const near = `${time(at.fromMs)} to ${time(at.untilMs)}`;
  if (at.zone !== undefined)
    output.note(`The time was taken as one of this machine's zone, ${at.zone}: ${near}.`);
  return whyEach(transport, output, await tasksOfTime(transport, of, at), tenant);
}

export function addWhy(program: Command, globals: Globals): void {
  program
    .command('why')
    .argument('[id]', 'the task’s id')
    .description('say why a task has not completed, or how it ended, and what to do')
    .option('--queue <name>', 'the queue, if the task is not named by its id; default: default')
    .option('--key <key>', 'the idempotency key of the task')
    .option('--ordering-key <key>', 'the unfinished tasks with this ordering key')
    .option('--submitted-at <time>', 'the tasks that were submitted within a second of this time')
    .option('--date <date>', 'the day of --submitted-at; default: the last time that it was so late')
    .option('--tenant <name>', 'the tenant; default: your own', '')
    .action(async (id, options) => {
      checkOptions(id, options);
      const { server, output } = globals();
      await withServer(server, (transport) => why(transport, output, id, options));
    });
}
