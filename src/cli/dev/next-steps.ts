/** The texts by which `holdfast dev` says that it is ready and how to use it. */
import type { CertificateFiles } from '../../tls/load.ts';
import { shortPath } from '../module/find.ts';
import type { DevPorts } from './profile.ts';
import type { HandledTask } from './worker-process.ts';

export function readyText({ grpcPort, httpPort }: DevPorts): string {
  return `holdfast is ready: gRPC on 127.0.0.1:${grpcPort}, HTTP on 127.0.0.1:${httpPort}`;
}

const howToEnd = 'Ctrl-C lets running tasks finish and ends everything; a second Ctrl-C ends it at once.';
/** The most task types for which a command is printed. */
const shownTypes = 3;
const greeting = `'{"name":"Ada"}' --key greet/Ada`;

/** Returns the command that submits a task of a type, to the queue from which the worker takes it. */
function submitCommand({ type, queue }: HandledTask): string {
  const input = type === 'greet' ? greeting : "'{}'";
  return `  npx holdfast submit ${type} ${input}${queue === 'default' ? '' : ` --queue ${queue}`} --wait`;
}

function submitCommands(handled: readonly HandledTask[] | undefined): string[] {
  if (handled === undefined) return [`  npx holdfast submit greet ${greeting}`];
  const commands = handled.slice(0, shownTypes).map(submitCommand);
  const needsInput = handled.slice(0, shownTypes).some(({ type }) => type !== 'greet');
  return needsInput ? [...commands, "  (in place of {}: the task's input as JSON)"] : commands;
}

/** Returns example commands for the worker that runs. `handled` is undefined if no worker was named. */
export function nextSteps(
  handled: readonly HandledTask[] | undefined,
  { httpPort }: DevPorts,
  { ca, cert, key }: CertificateFiles,
): string {
  const queue = handled?.[0]?.queue ?? 'default';
  return [
    '',
    'In another terminal, in this folder:',
    ...submitCommands(handled),
    '  npx holdfast watch',
    `  curl --cacert ${shortPath(ca)} --cert ${shortPath(cert)} --key ${shortPath(key)} \\`,
    `    -H 'content-type: application/json' -d '{"queue":"${queue}"}' \\`,
    `    https://127.0.0.1:${httpPort}/holdfast.v1.TaskService/ListTasks`,
    '',
    ...(handled === undefined
      ? [
          'No worker runs here. To run one that restarts at each save: npx holdfast dev <worker.ts>',
          'Its default export must be defineWorker({ handlers: [...] }).',
          '',
        ]
      : []),
    howToEnd,
  ].join('\n');
}
