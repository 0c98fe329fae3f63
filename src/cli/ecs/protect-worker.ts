import { Option } from '@commander-js/extra-typings';
import type { WorkerSpec } from '../../client/contract/handler.ts';
import type { AloneRunner } from '../../client/worker/run-alone.ts';
import { usage } from '../exit-codes.ts';
import { protectionUrl } from './agent.ts';
import type { TaskProtection } from './task-protection.ts';

export const protectTaskOption = () =>
  new Option(
    '--protect-task',
    'protect the ECS task of this process from scale-in while it works on tasks (HOLDFAST_PROTECT_TASK=true)',
  );

/**
 * Returns the URL by which the ECS task is to be protected; undefined if neither the option nor the environment wants that.
 *
 * @throws HoldfastError INVALID_ARGUMENT if the environment has another value, or this process is no task of ECS.
 */
export function wantedProtection(
  isOption: boolean,
  env: Readonly<Record<string, string | undefined>>,
): string | undefined {
  const value = env.HOLDFAST_PROTECT_TASK ?? '';
  if (!['', 'true', 'false'].includes(value))
    throw usage(`HOLDFAST_PROTECT_TASK is '${value}'.`, 'Write true or false.');
  return isOption || value === 'true' ? protectionUrl(env) : undefined;
}

/** Returns a copy of a worker definition whose attempts protect the ECS task. */
export function withProtection(worker: WorkerSpec, protection: TaskProtection): WorkerSpec {
  return { ...worker, use: [(_context, next) => protection.during(next), ...worker.use] };
}

/** Returns a runner of tasks that run alone whose attempts protect the ECS task, since middleware is not called for them. */
export function runnerWithProtection(runner: AloneRunner, protection: TaskProtection): AloneRunner {
  return {
    processes: runner.processes,
    run: (attempt) => protection.during(() => runner.run(attempt)),
  };
}
