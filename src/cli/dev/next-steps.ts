/** What `holdfast dev` says. */
import type { CertificateFiles } from '../../tls/load.ts';
import { shown } from '../module/find.ts';
import type { DevPorts } from './profile.ts';

export function readyText({ grpcPort, httpPort }: DevPorts): string {
  return `holdfast is ready: gRPC on 127.0.0.1:${grpcPort}, HTTP on 127.0.0.1:${httpPort}`;
}

const example = `greet '{"name":"Ada"}' --key greet/ada`;
const howToEnd = 'Ctrl-C drains and ends it; a second Ctrl-C ends it at once.';

/** With the types of the worker that runs, or without one. */
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
    `  curl --cacert ${shown(ca)} --cert ${shown(cert)} --key ${shown(key)} \\`,
    `    -H 'content-type: application/json' -d '{"queue":"default"}' \\`,
    `    https://127.0.0.1:${httpPort}/holdfast.v1.TaskService/ListTasks`,
    '',
    ...(types === undefined
      ? [
          'No worker runs here. One that is started anew at each save: npx holdfast dev <worker.ts>',
          'Its default export is defineWorker({ handlers: [...] }).',
          '',
        ]
      : []),
    howToEnd,
  ].join('\n');
}
