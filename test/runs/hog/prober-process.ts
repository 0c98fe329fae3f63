/** The process of the probes: another identity's calls and health checks, each every 200 ms, during an attack. */
import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import { grpcTransport } from '../../../src/client/grpc/transport.ts';
import { asHoldfastError } from '../../../src/core/errors.ts';
import { systemClock } from '../../../src/platform/clock.ts';
import { TaskService } from '../../../src/rpc/gen/holdfast/v1/task_service_pb.ts';
import { WorkerService } from '../../../src/rpc/gen/holdfast/v1/worker_service_pb.ts';
import { item } from '../../fixtures/api-node.ts';
import type { ProbeReport, ProberOptions } from './process-messages.ts';

const everyMs = 200;
const timeoutMs = 2_000;
/** The probes come from an address of their own, as those of another machine do. */
const localAddress = '127.0.0.2';
const queue = 'probe';

const { grpcPort, httpPort, files } = JSON.parse(process.argv.at(-1) ?? '') as ProberOptions;
const pem = { ca: readFileSync(files.ca), cert: readFileSync(files.cert), key: readFileSync(files.key) };
const transport = grpcTransport({ address: `127.0.0.1:${grpcPort}`, tls: files, clock: systemClock() });
const call = { timeoutMs };

async function probe<T>(name: string, run: () => Promise<T>): Promise<T | undefined> {
  const beganMs = performance.now();
  const report = (refusal?: string): void => {
    const message: ProbeReport = { kind: 'probe', name, ms: performance.now() - beganMs, refusal };
    process.send?.(message);
  };
  try {
    const answer = await run();
    report();
    return answer;
  } catch (thrown) {
    const { reason, message } = asHoldfastError(thrown);
    report(`${reason} ${message}`);
    return undefined;
  }
}

/** Makes one HTTP request on a connection of its own. Rejects if the answer is not 200. */
function overHttp(path: string, body: string | undefined, hasCertificate: boolean): Promise<void> {
  const certificate = hasCertificate ? pem : { ca: pem.ca };
  return new Promise((resolve, reject) => {
    const sent = request({
      ...{ host: '127.0.0.1', port: httpPort, path, localAddress, agent: false, ...certificate },
      method: body === undefined ? 'GET' : 'POST',
      headers: { 'content-type': 'application/json' },
      timeout: timeoutMs,
    });
    const timer = setTimeout(() => sent.destroy(new Error('no answer')), timeoutMs);
    sent.on('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    sent.on('response', (answer) => {
      answer.resume();
      answer.on('end', () => {
        clearTimeout(timer);
        if (answer.statusCode === 200) resolve();
        else reject(new Error(`HTTP status ${answer.statusCode}`));
      });
    });
    sent.end(body);
  });
}

let next = 0;
async function submitClaimSettle(): Promise<void> {
  const key = `probe/${next++}`;
  const submitted = await probe('submit', async () => {
    const { results } = await transport.submit({ tenant: '', queue, items: [item(key)] }, call);
    const [result] = results;
    if (result?.error !== undefined) throw new Error(result.error.message);
    return result;
  });
  if (submitted === undefined) return;
  const claimed = await probe('claim', () =>
    transport.call(
      WorkerService.method.claimTasks,
      {
        queues: [queue],
        types: [{ type: 'note', maxVersion: 1 }],
        workerName: 'probe',
        workerId: crypto.randomUUID(),
        maxTasks: 1,
        waitMs: 1_000n,
      },
      call,
    ),
  );
  const lease = claimed?.tasks[0]?.lease;
  if (lease !== undefined)
    await probe('settle', () => transport.call(WorkerService.method.succeedTask, { lease }, call));
  await probe('get', () => transport.call(TaskService.method.getTask, { id: submitted.id }, call));
}

async function round(): Promise<void> {
  await Promise.all([
    submitClaimSettle(),
    probe('health', () => overHttp('/healthz', undefined, false)),
    probe('connect', () =>
      overHttp('/holdfast.v1.TaskService/ListTasks', JSON.stringify({ queue, pageSize: 1 }), true),
    ),
  ]);
}

console.log('{}');
setInterval(() => void round(), everyMs);
