import { exitCodes } from './exit-codes.ts';

/**
 * Ends this process after `ms` with status 0, if it has not ended by itself before: an open connection or a call without
 * an answer must not keep a stopping server alive.
 */
export function endWithin(ms: number): void {
  setTimeout(() => process.exit(exitCodes.ok), ms).unref();
}

/**
 * Resolves at the first SIGTERM or SIGINT. The second signal ends the process at once, so that nobody has to wait for a
 * drain.
 */
export function untilStopped(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let isStopping = false;
    const stop = (signal: NodeJS.Signals): void => {
      if (isStopping) process.exit(130);
      isStopping = true;
      resolve(signal);
    };
    process.on('SIGTERM', stop);
    process.on('SIGINT', stop);
  });
}
