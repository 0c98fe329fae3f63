/**
 * Main program of the probes: a client with an identity of its own, which works through one canary task after the other
 * while the server is fuzzed. It has a process of its own, so that the load of the fuzzing clients does not slow it.
 */
import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import type { MessageShape } from '@bufbuild/protobuf';
import { grpcTransport } from '../../../src/client/grpc/transport.ts';
import { systemClock } from '../../../src/platform/clock.ts';
import { TaskState, TaskView } from '../../../src/rpc/gen/holdfast/v1/task_pb.ts';
import { TaskService } from '../../../src/rpc/gen/holdfast/v1/task_service_pb.ts';
import { type AssignmentSchema, WorkerService } from '../../../src/rpc/gen/holdfast/v1/worker_service_pb.ts';
import { canaryTenant } from './messages.ts';
import type { ProbeReport, ProbeSetup } from './probe-messages.ts';

const setup = JSON.parse(process.argv[2] ?? '') as ProbeSetup;
const everyMs = 150;
const timeoutMs = 30_000;
const queue = 'canary';
const type = 'canary';
const options = { timeoutMs };

const client = grpcTransport({ address: setup.address, tls: setup.tls, clock: systemClock() });
const secrets = {
  ca: readFileSync(setup.tls.ca),
  cert: readFileSync(setup.tls.cert),
  key: readFileSync(setup.tls.key),
};
/** The keys of the canaries whose results were acknowledged, by the ids of their tasks. */
const settled = new Map<string, string>();
const inputs = new Map<string, string>();
let isStopped = false;

const report = (message: ProbeReport): void => void process.send?.(message);
const wrong = (message: string): void => report({ kind: 'wrong', message });
const payloadOf = (key: string): string => JSON.stringify({ canary: key });
const resultOf = (key: string): string => JSON.stringify({ done: key });
const textOf = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString();

async function submit(key: string): Promise<void> {
  const spec = { type, payload: { contentType: 'application/json', bytes: Buffer.from(payloadOf(key)) } };
  const input = { tenant: canaryTenant, queue, item: { idempotencyKey: key, spec } };
  const { task, deduplicated } = await client.call(TaskService.method.submitTask, input, options);
  if (task === undefined || task.id === '' || deduplicated)
    throw new Error('the submission made no new task');
  inputs.set(task.id, key);
}

async function claim(key: string): Promise<MessageShape<typeof AssignmentSchema>> {
  const worker = { tenant: canaryTenant, workerName: 'canary', workerId: 'canary', queues: [queue] };
  const { tasks } = await client.call(
    WorkerService.method.claimTasks,
    { ...worker, types: [{ type, maxVersion: 1 }], maxTasks: 1, waitMs: 10_000n, requestId: key },
    options,
  );
  const [task] = tasks;
  if (task === undefined) throw new Error('no task was claimed');
  const submitted = inputs.get(task.taskId);
  if (submitted === undefined) throw new Error(`an unknown task was claimed: ${task.taskId}`);
  const payload = textOf(task.spec?.payload?.bytes);
  if (payload !== payloadOf(submitted)) throw new Error(`a claimed task has the payload ${payload}`);
  return task;
}

async function settle({ taskId, lease }: MessageShape<typeof AssignmentSchema>): Promise<void> {
  const key = inputs.get(taskId) ?? '';
  const result = { contentType: 'application/json', bytes: Buffer.from(resultOf(key)) };
  const input = { tenant: canaryTenant, lease: lease as Uint8Array<ArrayBuffer>, result };
  const { state } = await client.call(WorkerService.method.succeedTask, input, options);
  if (state !== TaskState.SUCCEEDED) throw new Error(`a settled task has the state ${state}`);
  settled.set(taskId, key);
}

async function check(id: string): Promise<void> {
  const input = { id, tenant: canaryTenant, view: TaskView.FULL };
  const { task } = await client.call(TaskService.method.getTask, input, options);
  const key = settled.get(id) ?? '';
  if (task?.state !== TaskState.SUCCEEDED) throw new Error(`canary ${id} has the state ${task?.state}`);
  const [payload, result] = [textOf(task.spec?.payload?.bytes), textOf(task.result?.bytes)];
  if (payload !== payloadOf(key) || result !== resultOf(key)) {
    throw new Error(`canary ${id} has the payload ${payload} and the result ${result}`);
  }
}

function health(): Promise<void> {
  const [host, port] = setup.httpAddress.split(':');
  return new Promise((resolve, reject) => {
    const call = request({ host, port, path: '/healthz', ...secrets, timeout: timeoutMs }, (response) => {
      response.resume();
      if (response.statusCode === 200) resolve();
      else reject(new Error(`/healthz answered ${response.statusCode}`));
    });
    call.once('error', reject).once('timeout', () => call.destroy(new Error('/healthz did not answer')));
    call.end();
  });
}

/** Works through one canary. Each step is timed; the slowest one is named. */
async function probe(number: number): Promise<void> {
  const key = `canary-${process.pid}-${number}`;
  const beganMs = performance.now();
  let slowest = { step: '', ms: 0 };
  const step = async <T>(name: string, run: () => Promise<T>): Promise<T> => {
    const sinceMs = performance.now();
    try {
      return await run();
    } catch (thrown) {
      throw new Error(`${name}: ${(thrown as Error).message}`);
    } finally {
      const ms = performance.now() - sinceMs;
      if (ms > slowest.ms) slowest = { step: name, ms };
    }
  };
  try {
    await step('submit', () => submit(key));
    const task = await step('claim', () => claim(key));
    await step('settle', () => settle(task));
    await step('get', () => check(task.taskId));
    await step('health', health);
  } catch (thrown) {
    wrong((thrown as Error).message);
  }
  const ms = performance.now() - beganMs;
  report({ kind: 'probed', ms, slowestStep: `${slowest.step} ${Math.round(slowest.ms)} ms` });
}

async function audit(): Promise<void> {
  const differing: string[] = [];
  for (const id of settled.keys()) {
    await check(id).catch((thrown: Error) => differing.push(thrown.message));
  }
  report({ kind: 'audited', canaries: settled.size, wrong: differing });
}

process.on('message', () => {
  isStopped = true;
});
report({ kind: 'probed', ms: 0, slowestStep: 'start' });
for (let number = 0; !isStopped; number++) {
  await probe(number);
  await new Promise((resolve) => setTimeout(resolve, everyMs));
}
await audit();
await client.close();
process.disconnect?.();
