/** A client in Python, as a child process of `npm run chaos`, which ends when its standard input ends. */
import { spawn } from 'node:child_process';
import { RunProcess } from '../deploys/run-process.ts';
import type { PythonClient } from '../python/client.ts';

export class PythonProcess extends RunProcess {
  /** Starts a program of the folder `python/`. */
  constructor(
    { python, environment }: PythonClient,
    name: string,
    program: string,
    args: readonly string[],
    env: Readonly<Record<string, string>>,
  ) {
    const path = new URL(`./python/${program}`, import.meta.url).pathname;
    const child = spawn(python, [path, ...args], {
      // gRPC writes a line to standard error for each connection that it could not open.
      env: { ...process.env, ...environment, GRPC_VERBOSITY: 'NONE', ...env },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    super(name, child);
  }
}
