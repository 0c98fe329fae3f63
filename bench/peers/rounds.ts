/** Measures one round of one peer. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Peer, type StartedServer, strictInFlight } from './peer.ts';
import { type SubmitterProcess, startWorker, type WorkerProcess } from './side-process.ts';

/** The rows, in the order of the table, with their units. In rows of seconds and ms less is better. */
export const rowUnits = {
  'submit singly, 64 in flight': '/s',
  'submit in bulk, 1 caller': '/s',
  'submit in bulk, 4 callers': '/s',
  'process, 64 in flight': '/s',
  'process, best prefetch': '/s',
  'both, singly, 20,000 tasks': 's',
  'both, in bulk, 20,000 tasks': 's',
  'idle submit to start, p50': 'ms',
  'idle submit to start, p99': 'ms',
} as const;

export type RowName = keyof typeof rowUnits;
export type Values = ReadonlyMap<RowName, number>;

/** The rows of seconds are stated for this number of tasks, however many were measured. */
const statedTasks = 20_000;
const callers = 64;
const idleWarmUp = 20;
const idlePauseMs = 5;

export interface RoundOptions {
  readonly tasks: number;
  readonly idleSamples: number;
  readonly isWanted: (row: RowName) => boolean;
}

export interface Running {
  readonly peer: Peer;
  readonly server: StartedServer;
  readonly submitter: SubmitterProcess;
}

let queues = 0;

async function newQueue({ server }: Running): Promise<string> {
  const queue = `q${++queues}`;
  await server.createQueue?.(queue);
  return queue;
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const fromMs = performance.now();
  await work();
  return (performance.now() - fromMs) / 1_000;
}

async function processed(running: Running, tasks: number, inFlight?: number): Promise<number> {
  const queue = await newQueue(running);
  const { peer, server, submitter } = running;
  await submitter.submit({ queue, tasks, callers: 4, how: 'bulk' });
  const worker = await startWorker(
    peer.name,
    server.address,
    queue,
    inFlight === undefined ? {} : { inFlight },
  );
  const seconds = await timed(() => worker.until(tasks));
  await worker.stop();
  return seconds;
}

async function both(running: Running, tasks: number, how: 'singly' | 'bulk'): Promise<number> {
  const queue = await newQueue(running);
  const { peer, server, submitter } = running;
  const worker = await startWorker(peer.name, server.address, queue);
  const seconds = await timed(async () => {
    await submitter.submit({ queue, tasks, callers: how === 'singly' ? callers : 4, how });
    await worker.until(tasks);
  });
  await worker.stop();
  return (seconds * statedTasks) / tasks;
}

async function idleOnce(submitter: SubmitterProcess, worker: WorkerProcess, queue: string): Promise<number> {
  const began = worker.nextBegan();
  const { sentMs } = await submitter.submit({ queue, tasks: 1, callers: 1, how: 'singly' });
  return (await began) - sentMs;
}

/** Returns the times from a submission to the start of its task, ascending. */
async function idle(running: Running, samples: number): Promise<readonly number[]> {
  const queue = await newQueue(running);
  const worker = await startWorker(running.peer.name, running.server.address, queue, { reportEach: true });
  const waitsMs: number[] = [];
  for (let i = 0; i < samples + idleWarmUp; i++) {
    await sleep(idlePauseMs);
    const waitMs = await idleOnce(running.submitter, worker, queue);
    if (i >= idleWarmUp) waitsMs.push(waitMs);
    await worker.until(i + 1);
  }
  await worker.stop();
  return waitsMs.sort((a, b) => a - b);
}

export async function measureRound(running: Running, options: RoundOptions): Promise<Values> {
  const { submitter, peer } = running;
  const { tasks, idleSamples, isWanted } = options;
  const singleTasks = Math.min(tasks, peer.singleTasks ?? tasks);
  const values = new Map<RowName, number>();
  const measure = async (row: RowName, value: () => Promise<number>): Promise<void> => {
    if (isWanted(row)) values.set(row, await value());
  };
  const submitted = async (count: number, by: number, how: 'singly' | 'bulk'): Promise<number> => {
    const queue = await newQueue(running);
    return count / (await submitter.submit({ queue, tasks: count, callers: by, how })).seconds;
  };
  await measure('submit singly, 64 in flight', () => submitted(singleTasks, callers, 'singly'));
  await measure('submit in bulk, 1 caller', () => submitted(tasks, 1, 'bulk'));
  await measure('submit in bulk, 4 callers', () => submitted(tasks, 4, 'bulk'));
  await measure(
    'process, 64 in flight',
    async () => tasks / (await processed(running, tasks, strictInFlight)),
  );
  await measure('process, best prefetch', async () => tasks / (await processed(running, tasks)));
  await measure('both, singly, 20,000 tasks', () => both(running, singleTasks, 'singly'));
  await measure('both, in bulk, 20,000 tasks', () => both(running, tasks, 'bulk'));
  if (isWanted('idle submit to start, p50') || isWanted('idle submit to start, p99')) {
    const waitsMs = await idle(running, idleSamples);
    values.set('idle submit to start, p50', waitsMs[Math.floor(waitsMs.length * 0.5)] ?? Number.NaN);
    values.set('idle submit to start, p99', waitsMs[Math.floor(waitsMs.length * 0.99)] ?? Number.NaN);
  }
  return values;
}
