import { noOptions } from '../../src/core/codec/options.ts';
import type { Assignment, Settlement } from '../../src/core/messages.ts';
import type { OptionsRequest } from '../../src/core/submission/submission.ts';
import { reconcile } from '../../src/runtime/reconcile.ts';
import { sweep } from '../../src/runtime/sweep.ts';
import { specOf } from '../fixtures/api-node.ts';
import { target } from './manual-engine.ts';
import type { Script, ScriptContext } from './script-run.ts';

const type = 'note';
const never = new AbortController().signal;
const by = { actor: 'operator', message: '' };

/** The task that a submitter submits. */
export interface SubmitterOptions {
  readonly key: string;
  readonly lane?: string | undefined;
  readonly options?: Partial<OptionsRequest>;
}

/**
 * Returns the script of a client that submits one task. The script returns the task's key if the submission was
 * acknowledged.
 */
export function submitter({ key, lane, options }: SubmitterOptions): Script {
  const item = {
    key,
    spec: specOf('{}', type, lane),
    options: { ...noOptions, ...options },
    traceparent: '',
  };
  return async ({ service }) => {
    const [result] = await service.submit(target, [item], { notAfterMs: undefined });
    return result?.error === undefined ? key : '';
  };
}

/** An outcome of an attempt, or a heartbeat before the outcome. */
export type HandlerOutcome = keyof typeof outcomes | 'heartbeat';

const outcomes = { succeed: 'succeeded', fail: 'failed', die: 'fatal' } as const;

function settlement({ lease }: Assignment, outcome: keyof typeof outcomes): Settlement {
  const details = { result: undefined, message: '', errorType: '', afterMs: undefined, begun: false };
  return { lease, outcome: outcomes[outcome], ...details };
}

const from = { tenant: target.tenant, sessionId: undefined };

/** Settles a task with an outcome that the search chooses. Renews the task's lease at most once before. */
async function work(
  { service, choose }: ScriptContext,
  task: Assignment,
  outcomesToTry: readonly HandlerOutcome[],
): Promise<void> {
  const first = await choose(outcomesToTry);
  if (first === 'heartbeat')
    await service.heartbeat([{ lease: task.lease, begun: true, progress: undefined }], from);
  const last =
    first === 'heartbeat' ? await choose(outcomesToTry.filter((one) => one !== 'heartbeat')) : first;
  await service.settle([settlement(task, last)], from);
}

/** Returns the script of a worker that claims up to `maxTasks` tasks at once and works on one after the other. */
export function worker(maxTasks: number, outcomesToTry: readonly HandlerOutcome[]): Script {
  return async (context) => {
    const assigned = await context.service.claim({
      tenant: target.tenant,
      workerName: 'w',
      workerId: '',
      queues: [target.queue],
      types: [{ type, maxVersion: 1 }],
      maxTasks,
      waitMs: 0,
      requestId: '',
      signal: never,
    });
    for (const task of assigned) await work(context, task, outcomesToTry);
    return '';
  };
}

export const sweeper: Script = async ({ context }) => {
  await sweep(context, never);
  return '';
};

export const reconciler: Script = async ({ context }) => {
  await reconcile(context, never);
  return '';
};

/** Returns the script of an operator that cancels or redrives a task. The call may fail. */
export function operator(action: 'cancel' | 'redrive', key: string): Script {
  return async ({ service }) => {
    const found = await service.getByKey({ ...target, key }, false).catch(() => undefined);
    if (found === undefined) return '';
    const { id } = found.snapshot;
    const { tenant } = target;
    const done = action === 'cancel' ? service.cancel(tenant, id, by) : service.redrive(tenant, id, '');
    await done.catch(() => {});
    return '';
  };
}
