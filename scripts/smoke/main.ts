// `npm run smoke` submits tasks through the front of a server, works them, and checks each result: by `--url` from here, or by
// `--outputs FILE --stack NAME` as a task of the deployed cluster. It ends with status 1 if one of them failed or was late.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ECSClient } from '@aws-sdk/client-ecs';
import { canaryQueue } from '../../src/core/objectives/objectives.ts';
import { runInCluster } from './run-in-cluster.ts';
import { deployedCanary } from './stack-outputs.ts';

const usage = `Usage: npm run smoke -- --url <url> [--slots <n>] [--queue <name>]
       npm run smoke -- --outputs <file> --stack <name> [--slots <n>] [--queue <name>]

  --url      the server, such as holdfast://jobs.internal:443; the certificate is that of HOLDFAST_CA, HOLDFAST_CERT and HOLDFAST_KEY
  --outputs  the file that \`cdk deploy --outputs-file\` has written: the tasks are submitted inside the cluster, by the canary's identity
  --slots    how many slots of 10 s, each with one task (6)
  --queue    the queue of the tasks (${canaryQueue})`;

/** A task of Fargate takes a minute or so to start. */
const startSeconds = 300;
const slotSeconds = 10;
const cli = join(import.meta.dirname, '..', '..', 'src', 'cli', 'main.ts');

function refuse(sentence: string): never {
  console.error(`${sentence}\n\n${usage}`);
  process.exit(2);
}

function options() {
  try {
    const string = { type: 'string' } as const;
    const { values } = parseArgs({
      options: { url: string, outputs: string, stack: string, slots: string, queue: string },
    });
    return values;
  } catch (error) {
    return refuse((error as Error).message);
  }
}

/** Runs the command here, and passes a signal on, so that it does not outlive this process. */
function runHere(command: readonly string[]): Promise<number> {
  const child = spawn(process.execPath, [cli, ...command], { stdio: 'inherit' });
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => child.kill(signal));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve(code ?? 1));
  });
}

async function main(): Promise<number> {
  const { url, outputs, stack, slots = '6', queue = canaryQueue } = options();
  if (!/^[1-9]\d{0,2}$/.test(slots)) refuse(`--slots is '${slots}'. Write a whole number from 1 to 999.`);
  if ((url === undefined) === (outputs === undefined)) refuse('Give either --url or --outputs.');
  if ((outputs === undefined) !== (stack === undefined)) refuse('--outputs and --stack belong together.');
  const command = ['canary', '--queue', queue, '--slots', slots];
  if (outputs === undefined || stack === undefined) return runHere([...command, '--url', url as string]);
  const canary = deployedCanary(outputs, stack);
  const ecs = new ECSClient({});
  const waitSeconds = startSeconds + Number(slots) * slotSeconds;
  const { taskArn, exitCode, reason } = await runInCluster(ecs, canary, command, {
    waitSeconds,
    pollSeconds: 2,
  });
  console.log(`task ${taskArn} ended: ${reason}; its lines are in the log group of the canary`);
  return exitCode ?? 1;
}

try {
  const status = await main();
  console.log(`smoke: ${status === 0 ? 'ok' : 'failed'}`);
  process.exitCode = status;
} catch (error) {
  console.error(`smoke: ${(error as Error).message}`);
  process.exitCode = 1;
}
