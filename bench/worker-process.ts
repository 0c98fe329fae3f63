/** A worker in a process of its own (worker.ts), as the bench sees it. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import type { RigServer } from '../test/fixtures/server-process.ts';

export interface BenchWorker {
  readonly child: ChildProcess;
  /** Resolves when so many tasks in all were settled. */
  until(settled: number): Promise<void>;
  stop(): Promise<void>;
}

/** Resolves when it has its streams. */
export async function startWorker(server: RigServer, queue: string): Promise<BenchWorker> {
  const { ca, cert, key } = server.tls;
  const child = fork(new URL('./worker.ts', import.meta.url), [server.address, ca, cert, key, queue]);
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
