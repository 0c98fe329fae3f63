import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { create } from '@bufbuild/protobuf';
import type { Command } from '@commander-js/extra-typings';
import { InvalidArgumentError, Option } from '@commander-js/extra-typings';
import { durationMs } from '../../client/duration.ts';
import type { Transport } from '../../client/transport.ts';
import { HoldfastError } from '../../core/errors.ts';
import { limits } from '../../core/limits.ts';
import { deadReasons } from '../../core/task/event.ts';
import { AdminService, type Worker } from '../../rpc/gen/holdfast/v1/admin_service_pb.ts';
import { Priority, type Task, TaskState } from '../../rpc/gen/holdfast/v1/task_pb.ts';
import {
  SubmitItemSchema,
  TaskService,
  WatchTasksRequestSchema,
} from '../../rpc/gen/holdfast/v1/task_service_pb.ts';
import { reach } from '../connect.ts';
import { usage } from '../exit-codes.ts';
import type { Globals } from '../globals.ts';
import type { Output } from '../output.ts';
import { visibleJson } from '../text/escape-controls.ts';
import { collect, whole } from '../text/numbers.ts';
import { stateName, taskJson } from '../text/task-text.ts';

const priorities = { high: Priority.HIGH, normal: Priority.NORMAL, low: Priority.LOW } as const;

const waiting: ReadonlySet<TaskState> = new Set([TaskState.SCHEDULED, TaskState.READY]);
const endStates: ReadonlySet<TaskState> = new Set([TaskState.SUCCEEDED, TaskState.DEAD, TaskState.CANCELLED]);

function length(text: string): number {
  try {
    return durationMs(text as `${number}s`);
  } catch {
    throw new InvalidArgumentError("Write a number and one of ms, s, m, h, d, such as '10s' or '5m'.");
  }
}

/** Inline JSON, `@file`, `-` for standard input, or nothing. */
function readPayload(source: string | undefined): Uint8Array {
  let text = source ?? 'null';
  if (source === '-') text = readFileSync(0, 'utf8');
  else if (source?.startsWith('@')) {
    try {
      text = readFileSync(source.slice(1), 'utf8');
    } catch {
      throw usage(
        `Cannot read the file '${source.slice(1)}'.`,
        'Check its path: @file is read from the current folder.',
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

async function untilEnd(
  transport: Transport,
  id: string,
  tenant: string,
  signal: AbortSignal,
): Promise<Task> {
  for (;;) {
    const request = create(WatchTasksRequestSchema, { tasks: [{ id }], tenant });
    for await (const { error } of transport.watch(request, { signal })) {
      if (error !== undefined)
        throw new HoldfastError('NOT_FOUND', 'TASK_NOT_FOUND', error.message, { taskId: id });
    }
    const { task } = await transport.call(
      TaskService.method.getTask,
      { id, tenant, withResult: true, withPayload: false },
      {},
    );
    if (task !== undefined && endStates.has(task.state)) return task;
    await sleep(100);
  }
}

/** It would be dead before it may begin. */
function ensureOrder(delay: number | undefined, deadline: number | undefined): void {
  if (delay === undefined || deadline === undefined || delay < deadline) return;
  throw usage(
    'The deadline comes before the delay is over: the task would be dead before it may begin.',
    'Both count from now: make --deadline longer than --delay.',
  );
}

function handles({ types, maxVersions }: Worker, type: string, version: number): boolean {
  return types.some((one, i) => one === type && (maxVersions[i] ?? version) >= version);
}

/**
 * Not an error: a worker may come later, and one on another node is known some seconds after it came. An identity that
 * may not read hears nothing of workers, and nothing is said where not all of them are told.
 */
async function tellUnhandled(transport: Transport, task: Task, output: Output): Promise<void> {
  const { type = '', typeVersion = 1 } = task.spec ?? {};
  const { tenant, queue } = task;
  const asked = transport.call(AdminService.method.listWorkers, { tenant, queue }, { timeoutMs: 2_000 });
  const known = await asked.catch(() => undefined);
  if (known === undefined || known.incomplete) return;
  if (known.workers.some((worker) => handles(worker, type, typeVersion))) return;
  const version = typeVersion > 1 ? `, type version ${typeVersion},` : '';
  output.note(
    `No worker for '${type}'${version} of queue '${queue}' is known (one that has just started may not be yet); the task waits until one takes it.`,
  );
}

function failure(task: Task): HoldfastError {
  const state = stateName(task.state);
  const why = task.lastError === '' ? '' : `: ${task.lastError}`;
  const known = deadReasons[task.deadReason];
  const reason = known === undefined ? '' : ` (reason: ${known})`;
  return new HoldfastError(
    'FAILED_PRECONDITION',
    state === 'dead' ? 'TASK_DEAD' : 'TASK_CANCELLED',
    `The task ended as ${state}${reason}${why}`,
    {
      taskId: task.id,
      help: `See what happened: holdfast show ${task.id} --history`,
    },
  );
}

export function addSubmit(program: Command, globals: Globals): void {
  program
    .command('submit')
    .argument('<type>', 'the task type, as defineTask names it')
    .argument('[payload]', 'JSON, @file, or - for standard input; default: null')
    .description('submit a task; with the same key and payload again, the same task')
    .option('--key <key>', 'idempotency key; without one a repeat is another task')
    .option('--queue <name>', 'the queue', 'default')
    .option('--tenant <name>', 'another tenant than your own', '')
    .option('--ordering-key <key>', 'its lane: tasks of one lane run one at a time, in order')
    .option('--type-version <n>', 'version of the payload’s contract', whole(1, 4_294_967_295), 1)
    .option('--delay <length>', 'not before so long: 10s, 5m, 2h', length)
    .option('--deadline <length>', 'complete within so long, else it is dead', length)
    .option('--attempts <n>', 'attempts in all', whole(1, limits.maxAttempts))
    .addOption(
      new Option('--priority <level>').choices(['high', 'normal', 'low'] as const).default('normal' as const),
    )
    .option('--tag <tag>', 'a tag; repeatable', collect)
    .option('--wait', 'wait for its end and print the result')
    .addHelpText(
      'after',
      `\nIt knows no contract: queue, attempts, ordering key and key are what these flags say, not what defineTask says.\n\nExamples:\n  holdfast submit greet '{"name":"Ada"}' --key greet/ada --wait\n  holdfast submit report @report.json --delay 10m`,
    )
    .action(async (type, payload, options) => {
      const { url, output } = globals();
      const bytes = readPayload(payload);
      ensureOrder(options.delay, options.deadline);
      await reach({ url }, async (transport, inFlight) => {
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
            priority: priorities[options.priority],
            tags: [...(options.tag ?? [])],
            ...(options.attempts !== undefined && { retry: { maxAttempts: options.attempts } }),
          },
        });
        const { task, deduplicated } = await transport.call(
          TaskService.method.submitTask,
          { tenant, queue, item },
          {},
        );
        if (task === undefined) return;
        const said = `${task.id}${deduplicated ? ' deduplicated' : ''} ${stateName(task.state)}`;
        if (options.wait) output.note(said);
        else output.result({ ...taskJson(task), deduplicated }, () => said);
        inFlight.taskId = task.id;
        inFlight.help = `The task goes on; see it: holdfast show ${task.id}`;
        if (!output.json && waiting.has(task.state)) await tellUnhandled(transport, task, output);
        if (!options.wait) return;
        const ended = await untilEnd(transport, task.id, tenant, inFlight.signal);
        if (ended.state !== TaskState.SUCCEEDED) throw failure(ended);
        output.result({ ...taskJson(ended), deduplicated }, () =>
          visibleJson(JSON.stringify(taskJson(ended).result ?? null)),
        );
      });
    });
}
