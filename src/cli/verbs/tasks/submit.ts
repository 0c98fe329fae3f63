import { readFileSync } from 'node:fs';
import { create } from '@bufbuild/protobuf';
import type { Command } from '@commander-js/extra-typings';
import { Option } from '@commander-js/extra-typings';
import type { Transport } from '../../../client/transport.ts';
import { asHoldfastError } from '../../../core/errors.ts';
import { forTenant } from '../../../core/explain/words.ts';
import { limits } from '../../../core/limits.ts';
import { nearest } from '../../../core/nearest.ts';
import { priorityNumbers } from '../../../core/wire-numbers.ts';
import { AdminService, type Worker } from '../../../rpc/gen/holdfast/v1/admin_service_pb.ts';
import { type Task, TaskState } from '../../../rpc/gen/holdfast/v1/task_pb.ts';
import { SubmitItemSchema, TaskService } from '../../../rpc/gen/holdfast/v1/task_service_pb.ts';
import { withServer } from '../../connection/connect.ts';
import { usage } from '../../exit-codes.ts';
import type { Globals } from '../../globals.ts';
import type { Output } from '../../output.ts';
import { parseDuration } from '../../text/durations.ts';
import { escapeControlsInJson } from '../../text/escape-controls.ts';
import { collect, wholeNumber } from '../../text/numbers.ts';
import { stateName, taskJson } from '../../text/task-text.ts';
import { endError, waitForEnd } from './wait-for-end.ts';

const waiting: ReadonlySet<TaskState> = new Set([TaskState.SCHEDULED, TaskState.READY]);

/**
 * Returns the payload: inline JSON, the content of `@file`, standard input for `-`, or null if the argument is missing.
 */
function readPayload(source: string | undefined): Uint8Array {
  let text = source ?? 'null';
  if (source === '-') text = readFileSync(0, 'utf8');
  else if (source?.startsWith('@')) {
    try {
      text = readFileSync(source.slice(1), 'utf8');
    } catch {
      throw usage(
        `Cannot read the file '${source.slice(1)}'.`,
        'Check its path, which is relative to the current folder.',
      );
    }
  }
  try {
    JSON.parse(text);
  } catch (thrown) {
    const why = thrown instanceof Error ? thrown.message : 'not JSON';
    throw usage(
      `The payload is not JSON: ${why}.`,
      `Quote it for your shell, e.g. '{"text":"hello"}', or give @file.`,
    );
  }
  return new TextEncoder().encode(text);
}

/** Refuses a deadline that ends before the delay: such a task would die before its first attempt. */
function checkDeadline(delay: number | undefined, deadline: number | undefined): void {
  if (delay === undefined || deadline === undefined || delay < deadline) return;
  throw usage(
    'The deadline comes before the delay is over: the task would die before its first attempt.',
    'Both count from now: make --deadline longer than --delay.',
  );
}

function handles({ types, maxVersions }: Worker, type: string, version: number): boolean {
  return types.some((one, i) => one === type && (maxVersions[i] ?? version) >= version);
}

/**
 * Prints a note if no known worker handles the task's type. A missing worker is no error: a worker may start later, and
 * a worker of another node is known only some seconds after its start. Nothing is printed if the caller may not list
 * the workers, or if the list is incomplete.
 */
async function noteUnhandledType(transport: Transport, task: Task, output: Output): Promise<void> {
  const { type = '', typeVersion = 1 } = task.spec ?? {};
  const { tenant, queue } = task;
  const listing = transport.call(
    AdminService.method.listWorkers,
    { tenant, queue },
    { timeoutMs: noteTimeoutMs },
  );
  const known = await listing.catch(() => undefined);
  if (known === undefined || known.incomplete) return;
  if (known.workers.some((worker) => handles(worker, type, typeVersion))) return;
  const version = typeVersion > 1 ? `, type version ${typeVersion},` : '';
  output.note(
    `No worker for '${type}'${version} of queue '${queue}' is known (a worker that has just started may not be known yet). The task waits until a worker takes it.`,
  );
}

/** The longest wait in ms for an answer that is needed for a note alone. */
const noteTimeoutMs = 2_000;

/**
 * Returns a note if the queue does not exist and another queue has nearly the same name: the submission creates the queue.
 * Returns undefined also if the caller may not read the queues.
 */
async function newQueueNote(transport: Transport, tenant: string, name: string): Promise<string | undefined> {
  const call = { timeoutMs: noteTimeoutMs };
  try {
    await transport.call(AdminService.method.getQueue, { tenant, name }, call);
    return undefined;
  } catch (thrown) {
    if (asHoldfastError(thrown).reason !== 'QUEUE_UNKNOWN') return undefined;
  }
  const listing = transport.call(AdminService.method.listQueues, { tenant }, call);
  const { queues } = await listing.catch(() => ({ queues: [] }));
  const meant = nearest(
    name,
    queues.map((queue) => queue.name),
  );
  return meant === undefined ? undefined : `Queue '${name}' is new; did you mean '${meant}'?`;
}

export function addSubmit(program: Command, globals: Globals): void {
  program
    .command('submit')
    .argument('<type>', 'the task type, as defineTask names it')
    .argument('[payload]', 'JSON, @file, or - for standard input; default: null')
    .description('submit a task; a repeat with the same key and payload returns the same task')
    .option('--key <key>', 'idempotency key; without it, each repeat is a new task')
    .option('--queue <name>', 'the queue', 'default')
    .option('--tenant <name>', 'the tenant; default: your own', '')
    .option('--ordering-key <key>', 'tasks with the same ordering key run one at a time, in order')
    .option('--type-version <n>', 'version of the task type', wholeNumber(1, 4_294_967_295), 1)
    .option('--delay <length>', 'time before the task may start, such as 10s, 5m, 2h', parseDuration)
    .option('--deadline <length>', 'time within which the task must end, else it dies', parseDuration)
    .option('--attempts <n>', 'number of attempts', wholeNumber(1, limits.maxAttempts))
    .addOption(
      new Option('--priority <level>', 'the priority')
        .choices(['high', 'normal', 'low'] as const)
        .default('normal' as const),
    )
    .option('--tag <tag>', 'a tag; repeatable', collect)
    .option('--wait', 'wait until the task ends, and print its result')
    .addHelpText(
      'after',
      `\nQueue, attempts, ordering key and idempotency key come from these flags: the command does not read defineTask.\n\nExamples:\n  holdfast submit greet '{"name":"Ada"}' --key greet/Ada --wait\n  holdfast submit report @report.json --delay 10m`,
    )
    .action(async (type, payload, options, command) => {
      const { server, output } = globals();
      const bytes = readPayload(payload);
      checkDeadline(options.delay, options.deadline);
      await withServer(server, async (transport, interruption) => {
        const { tenant, queue } = options;
        const item = create(SubmitItemSchema, {
          idempotencyKey: options.key ?? '',
          spec: {
            type,
            typeVersion: options.typeVersion,
            orderingKey: options.orderingKey ?? '',
            payload: { contentType: 'application/json', bytes },
          },
          options: {
            delayMs: BigInt(options.delay ?? 0),
            deadlineAtMs: BigInt(options.deadline === undefined ? 0 : Date.now() + options.deadline),
            priority: priorityNumbers[options.priority],
            tags: [...(options.tag ?? [])],
            ...(options.attempts !== undefined && { retry: { maxAttempts: options.attempts } }),
          },
        });
        const isNamed = command.getOptionValueSource('queue') === 'cli';
        const note = isNamed && !output.json ? await newQueueNote(transport, tenant, queue) : undefined;
        const { task, deduplicated } = await transport.call(
          TaskService.method.submitTask,
          { tenant, queue, item },
          {},
        );
        if (task === undefined) return;
        if (note !== undefined) output.note(note);
        const summary = `${task.id}${deduplicated ? ' deduplicated' : ''} ${stateName(task.state)}`;
        if (options.wait) output.note(summary);
        else output.result({ ...taskJson(task), deduplicated }, () => summary);
        interruption.taskId = task.id;
        interruption.help = `The task goes on. To see it: ${forTenant(`holdfast show ${task.id}`, tenant)}`;
        if (!output.json && waiting.has(task.state)) await noteUnhandledType(transport, task, output);
        if (!options.wait) return;
        const ended = await waitForEnd(transport, task.id, tenant, interruption.signal);
        if (ended.state !== TaskState.SUCCEEDED) throw endError(ended, tenant);
        output.result({ ...taskJson(ended), deduplicated }, () =>
          escapeControlsInJson(JSON.stringify(taskJson(ended).result ?? null)),
        );
      });
    });
}
