/** Starts the benchmark's worker (worker.ts) in a process of its own and follows its progress. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import type { ServerProcess } from '../test/fixtures/server-process.ts';

export interface BenchWorker {
  readonly child: ChildProcess;
  /** Resolves when the worker has settled this many tasks since its start. */
  until(settled: number): Promise<void>;
  stop(): Promise<void>;
}

/** The workers of one process: each has streams of its own, and takes up to `credits` tasks at a time. */
export interface WorkerShape {
  readonly credits: number;
  readonly streams: number;
}

/** Starts a worker process for one queue. Resolves when its streams are open. */
export async function startWorker(
  server: ServerProcess,
  queue: string,
  { credits, streams }: WorkerShape = { credits: 256, streams: 1 },
): Promise<BenchWorker> {
  const { ca, cert, key } = server.tls;
  const args = [server.address, ca, cert, key, queue, String(credits), String(streams)];
  const child = fork(new URL('./worker.ts', import.meta.url), args);
  let done = 0;
  let wake = (): void => {};
  child.on('message', (message: { settled?: number }) => {
    if (message.settled === undefined) return;
    done = message.settled;
    wake();
  });
  await once(child, 'message');
  return {
    child,
    until: (settled) =>
      new Promise((resolve) => {
        wake = () => done >= settled && resolve();
        wake();
      }),
    async stop() {
      const gone = once(child, 'exit');
      child.kill('SIGTERM');
      await gone;
    },
  };
}
