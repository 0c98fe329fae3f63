/** The texts by which `holdfast dev` says that it is ready and how to use it. */
import type { CertificateFiles } from '../../tls/load.ts';
import { shortPath } from '../module/find.ts';
import type { DevPorts } from './profile.ts';

export function readyText({ grpcPort, httpPort }: DevPorts): string {
  return `holdfast is ready: gRPC on 127.0.0.1:${grpcPort}, HTTP on 127.0.0.1:${httpPort}`;
}

const example = `greet '{"name":"Ada"}' --key greet/Ada`;
const howToEnd = 'Ctrl-C lets running tasks finish and ends everything; a second Ctrl-C ends it at once.';

/** Returns example commands for the task types of the running worker. `types` is undefined if no worker was named. */
export function nextSteps(
  types: readonly string[] | undefined,
  { httpPort }: DevPorts,
  { ca, cert, key }: CertificateFiles,
): string {
  const first = types?.[0];
  return [
    '',
    'In another terminal, in this folder:',
    first === undefined || first === 'greet'
      ? `  npx holdfast submit ${example}${first === undefined ? '' : ' --wait'}`
      : `  npx holdfast submit ${first} '<its input as JSON>' --wait`,
    '  npx holdfast list',
    `  curl --cacert ${shortPath(ca)} --cert ${shortPath(cert)} --key ${shortPath(key)} \\`,
    `    -H 'content-type: application/json' -d '{"queue":"default"}' \\`,
    `    https://127.0.0.1:${httpPort}/holdfast.v1.TaskService/ListTasks`,
    '',
    ...(types === undefined
      ? [
          'No worker runs here. To run one that restarts at each save: npx holdfast dev <worker.ts>',
          'Its default export must be defineWorker({ handlers: [...] }).',
          '',
        ]
      : []),
    howToEnd,
  ].join('\n');
}
