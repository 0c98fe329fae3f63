import { asHoldfastError } from '../../core/errors.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import { watchFiles } from '../../tls/watch-files.ts';
import { openPolicy, type Policy } from './policy.ts';

export interface PolicySource {
  readonly current: Policy;
  /** Calls `run` after each change of the policy. */
  onChange(run: () => void): void;
  stop(): void;
}

/**
 * Returns the policy of a policy file, and reloads it when the file changes. While the changed file is invalid, the
 * last valid policy stays in force. Without a file every client with a certificate of the installation's authority may
 * make every call. Rejects with BAD_CONFIGURATION if the file is invalid at the start.
 */
export async function policySource(
  file: string | undefined,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
): Promise<PolicySource> {
  if (file === undefined) return { current: openPolicy, onChange() {}, stop() {} };
  const { readPolicy } = await import('./read-policy.ts');
  let current = readPolicy(file);
  const listeners: (() => void)[] = [];
  let loggedMessage = '';
  const stop = watchFiles(clock, [file], () => {
    try {
      current = readPolicy(file);
      loggedMessage = '';
    } catch (thrown) {
      const { message } = asHoldfastError(thrown);
      // An invalid policy file is read again and again until it is valid, but each error in it is logged once.
      if (message !== loggedMessage) log.error({ file }, `the old policy stays in force: ${message}`);
      loggedMessage = message;
      return false;
    }
    log.info({ file }, 'the policy was reloaded');
    for (const run of listeners) run();
    return true;
  });
  return {
    get current() {
      return current;
    },
    onChange: (run) => void listeners.push(run),
    stop,
  };
}
