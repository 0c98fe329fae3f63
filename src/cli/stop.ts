import { exitCodes } from './exit-codes.ts';
import { killAfter } from './kill-after.ts';

/** The interval at which a process checks that its parent still runs. */
const checkParentEveryMs = 500;
/**
 * This long before its limit is over, a stopping process ends itself, and half of it later it is killed: a killed
 * process runs no `exit` listeners.
 */
const exitEarlyMs = 100;

let isForeignCodeLoaded = false;

/**
 * Records that this process has loaded code that may hold timers, sockets or servers, with which Node.js would go on after
 * the verb has ended: a module of the user, or an exporter of OpenTelemetry, which repeats its last request for seconds
 * after its shutdown.
 */
export function foreignCodeIsLoaded(): void {
  isForeignCodeLoaded = true;
}

/** Ends the process after its verb has ended, whatever such code still holds. */
export function endWithVerb(): void {
  if (isForeignCodeLoaded) process.exit();
}

/**
 * Ends this process after `ms` with the status, if it has not ended by itself before: an open connection or a call without
 * an answer must not keep a stopping server alive.
 */
export function endWithin(ms: number, status: number = exitCodes.ok): void {
  setTimeout(() => process.exit(status), ms).unref();
}

/**
 * Resolves at the first SIGTERM or SIGINT. The second signal ends the process at once, so that nobody has to wait for a
 * drain. If `limitMs` is given, the process ends at the latest this long after the first signal, even if its main thread
 * is blocked by then. Its status is then `process.exitCode`, or 1 if the verb has not set it. With `endsWithParent` the end of the parent process counts as a SIGTERM, as it always does if npx
 * is the parent.
 */
export function untilStopped(
  limitMs?: number,
  { endsWithParent = false }: { readonly endsWithParent?: boolean } = {},
): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let isStopping = false;
    const begin = (signal: NodeJS.Signals): void => {
      if (isStopping) return;
      isStopping = true;
      if (limitMs !== undefined) exitBy(limitMs);
      resolve(signal);
    };
    const stop = (signal: NodeJS.Signals): void => {
      if (isStopping) process.exit(exitCodes.interrupted);
      begin(signal);
    };
    process.on('SIGTERM', stop);
    process.on('SIGINT', stop);
    if (endsWithParent || isStartedByNpx()) onParentGone(() => begin('SIGTERM'));
  });
}

/** Ends this process before `limitMs` is over, with a thread that kills it if its main thread is blocked. */
function exitBy(limitMs: number): void {
  killAfter(limitMs - exitEarlyMs / 2);
  const exit = (): never => process.exit(process.exitCode ?? exitCodes.failed);
  setTimeout(exit, limitMs - exitEarlyMs).unref();
}

/**
 * Returns true if npx started this process. npx passes a signal only to the shell between itself and this process, and the
 * shell ends without passing it on.
 */
function isStartedByNpx(): boolean {
  const { npm_lifecycle_event, npm_lifecycle_script = '' } = process.env;
  // Programs that npx started pass these variables on to their own child processes.
  return npm_lifecycle_event === 'npx' && npm_lifecycle_script.includes('holdfast');
}

/** Calls `onGone` once the parent process has ended. */
function onParentGone(onGone: () => void): void {
  const parent = process.ppid;
  const checking = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(checking);
    onGone();
  }, checkParentEveryMs);
  checking.unref();
}
