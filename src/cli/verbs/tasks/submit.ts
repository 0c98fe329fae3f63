import { readFileSync } from 'node:fs';
import type { Command } from '@commander-js/extra-typings';
import { forTenant } from '../../../core/explain/words.ts';
import { TaskState } from '../../../rpc/gen/holdfast/v1/task_pb.ts';
import { TaskService } from '../../../rpc/gen/holdfast/v1/task_service_pb.ts';
import { withServer } from '../../connection/connect.ts';
import { usage } from '../../exit-codes.ts';
import type { Globals } from '../../globals.ts';
import { escapeControlsInJson } from '../../text/escape-controls.ts';
import { stateName, taskJson } from '../../text/task-text.ts';
import { handlingQueue, newQueueNote, noteUnhandledType } from './handling-queue.ts';
import { checkSubmitFlags, submissionOf, withSubmitFlags } from './submit-flags.ts';
import { endError, waitForEnd } from './wait-for-end.ts';

const waiting: ReadonlySet<TaskState> = new Set([TaskState.SCHEDULED, TaskState.READY]);

/**
 * Returns the payload: inline JSON, the content of `@file`, standard input for `-`, or null if the argument is missing.
 */
function readPayload(source: string | undefined): Uint8Array<ArrayBuffer> {
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

export function addSubmit(program: Command, globals: Globals): void {
  const verb = program
    .command('submit')
    .argument('<type>', 'the task type, as defineTask names it')
    .argument('[payload]', 'JSON, @file, or - for standard input; default: null')
    .description('submit a task; a repeat with the same key and payload returns the same task')
    .option('--queue <name>', 'the queue; default: the one whose workers handle the type, else default')
    .option('--tenant <name>', 'the tenant; default: your own', '');
  withSubmitFlags(verb)
    .option('--wait', 'wait until the task ends, and print its result')
    .addHelpText(
      'after',
      `\nThe options come from these flags alone: the command does not read defineTask. A key belongs to a queue: name --queue\nbeside --key in a script, since workers come and go.\n\nExamples:\n  holdfast submit greet '{"name":"Ada"}' --key greet/Ada --wait\n  holdfast submit report @report.json --delay 10m`,
    )
    .action(async (type, payload, flags) => {
      const { server, output } = globals();
      checkSubmitFlags(flags, Date.now());
      const item = submissionOf(type, readPayload(payload), flags);
      await withServer(server, async (transport, interruption) => {
        const { tenant, typeVersion } = flags;
        const queue = flags.queue ?? (await handlingQueue(transport, { tenant, type, typeVersion }));
        const isNamed = flags.queue !== undefined;
        const note = isNamed && !output.json ? await newQueueNote(transport, tenant, queue) : undefined;
        const { task, deduplicated } = await transport.call(
          TaskService.method.submitTask,
          { tenant, queue, item },
          {},
        );
        if (task === undefined) return;
        if (note !== undefined) output.note(note);
        if (!isNamed && queue !== 'default') output.note(`queue ${queue}, whose workers handle '${type}'`);
        const summary = `${task.id}${deduplicated ? ' deduplicated' : ''} ${stateName(task.state)}`;
        if (flags.wait) output.note(summary);
        else output.result({ ...taskJson(task), deduplicated }, () => summary);
        interruption.taskId = task.id;
        interruption.help = `The task goes on. To see it: ${forTenant(`holdfast show ${task.id}`, tenant)}`;
        if (!output.json && waiting.has(task.state)) await noteUnhandledType(transport, task, output);
        if (!flags.wait) return;
        const ended = await waitForEnd(transport, task.id, tenant, interruption.signal);
        if (ended.state !== TaskState.SUCCEEDED) throw endError(ended, tenant);
        output.result({ ...taskJson(ended), deduplicated }, () =>
          escapeControlsInJson(JSON.stringify(taskJson(ended).result ?? null)),
        );
      });
    });
}
