import { asHoldfastError } from '../../core/errors.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import { watchFiles } from '../../tls/watch-files.ts';
import { openPolicy, type Policy, readPolicy } from './policy.ts';

export interface PolicySource {
  readonly current: Policy;
  /** Calls back after each change. */
  onChange(run: () => void): void;
  stop(): void;
}

/**
 * The policy of a file, read again when it changes; a wrong file leaves the one before in force. Without a file
 * every identity that the authority signed may do everything. Throws BAD_CONFIGURATION at the start.
 */
export function policySource(
  file: string | undefined,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
): PolicySource {
  if (file === undefined) return { current: openPolicy, onChange() {}, stop() {} };
  let current = readPolicy(file);
  const listeners: (() => void)[] = [];
  let told = '';
  const stop = watchFiles(clock, [file], () => {
    try {
      current = readPolicy(file);
      told = '';
    } catch (thrown) {
      const { message } = asHoldfastError(thrown);
      // Looked at again and again until it is right, but told once.
      if (message !== told) log.error({ file }, `the old policy stays in force: ${message}`);
      told = message;
      return false;
    }
    log.info({ file }, 'the policy was read anew');
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
