import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { create } from '@bufbuild/protobuf';
import type { Command } from '@commander-js/extra-typings';
import { InvalidArgumentError, Option } from '@commander-js/extra-typings';
import { durationMs } from '../../client/duration.ts';
import type { Transport } from '../../client/transport.ts';
import { HoldfastError } from '../../core/errors.ts';
import { limits } from '../../core/limits.ts';
import { Priority, type Task, TaskState } from '../../rpc/gen/holdfast/v1/task_pb.ts';
import {
  SubmitItemSchema,
  TaskService,
  WatchTasksRequestSchema,
} from '../../rpc/gen/holdfast/v1/task_service_pb.ts';
import { usage } from '../exit-codes.ts';
import type { Globals } from '../globals.ts';
import { whole } from '../numbers.ts';
import { reach } from '../reach.ts';
import { stateName, taskJson } from '../task-text.ts';

const priorities = { high: Priority.HIGH, normal: Priority.NORMAL, low: Priority.LOW } as const;

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

function failure(task: Task): HoldfastError {
  const state = stateName(task.state);
  const why = task.lastError === '' ? '' : `: ${task.lastError}`;
  return new HoldfastError(
    'FAILED_PRECONDITION',
    state === 'dead' ? 'TASK_DEAD' : 'TASK_CANCELLED',
    `The task ended as ${state}${why}`,
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
    .option('--tag <tag...>', 'a tag; repeatable')
    .option('--wait', 'wait for its end and print the result')
    .addHelpText(
      'after',
      `\nExamples:\n  holdfast submit greet '{"name":"Ada"}' --key greet/ada --wait\n  holdfast submit report @report.json --delay 10m`,
    )
    .action(async (type, payload, options) => {
      const { url, output } = globals();
      const bytes = readPayload(payload);
      await reach({ url }, async (transport, underWay) => {
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
            tags: options.tag ?? [],
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
        if (!options.wait) {
          output.result({ ...taskJson(task), deduplicated }, () => said);
          return;
        }
        output.note(said);
        underWay.taskId = task.id;
        underWay.help = `The task goes on; see it: holdfast show ${task.id}`;
        const ended = await untilEnd(transport, task.id, tenant, underWay.signal);
        if (ended.state !== TaskState.SUCCEEDED) throw failure(ended);
        output.result({ ...taskJson(ended), deduplicated }, () =>
          JSON.stringify(taskJson(ended).result ?? null),
        );
      });
    });
}
