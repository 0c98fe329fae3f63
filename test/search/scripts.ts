import { noOptions } from '../../src/core/codec/options.ts';
import type { Assignment, Settlement } from '../../src/core/messages.ts';
import type { OptionsRequest } from '../../src/core/submission/submission.ts';
import { reconcile } from '../../src/runtime/reconcile.ts';
import { sweep } from '../../src/runtime/sweep.ts';
import { specOf } from '../fixtures/api-node.ts';
import { target } from './machine.ts';
import type { Script, Stage } from './performance.ts';

const type = 'note';
const never = new AbortController().signal;
const by = { actor: 'operator', message: '' };

export interface Asked {
  readonly key: string;
  readonly lane?: string | undefined;
  readonly options?: Partial<OptionsRequest>;
}

/** Says the key where its submission was acknowledged. */
export function submitter({ key, lane, options }: Asked): Script {
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

/** How an attempt ends; a renewal of its lease comes before that. */
export type Outcome = keyof typeof outcomes | 'beat';

const outcomes = { succeed: 'succeeded', fail: 'failed', die: 'fatal' } as const;

function settlement({ lease }: Assignment, outcome: keyof typeof outcomes): Settlement {
  const told = { result: undefined, message: '', errorType: '', afterMs: undefined };
  return { lease, outcome: outcomes[outcome], ...told };
}

const from = { tenant: target.tenant, sessionId: undefined };

/** What a handler did with a task, as the search decides: its lease is renewed at most once. */
async function work({ service, choose }: Stage, task: Assignment, may: readonly Outcome[]): Promise<void> {
  const first = await choose(may);
  if (first === 'beat') await service.heartbeat([{ lease: task.lease, progress: undefined }], from);
  const last = first === 'beat' ? await choose(may.filter((one) => one !== 'beat')) : first;
  await service.settle([settlement(task, last)], from);
}

/** Claims what is rung, so many tasks at once, and does it, one task after the other. */
export function worker(maxTasks: number, may: readonly Outcome[]): Script {
  return async (stage) => {
    const assigned = await stage.service.claim({
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
    for (const task of assigned) await work(stage, task, may);
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

/** Cancels a task or drives it again; refused or not. */
export function operator(deed: 'cancel' | 'redrive', key: string): Script {
  return async ({ service }) => {
    const found = await service.getByKey({ ...target, key }, false).catch(() => undefined);
    if (found === undefined) return '';
    const { id } = found.snapshot;
    const { tenant } = target;
    const done = deed === 'cancel' ? service.cancel(tenant, id, by) : service.redrive(tenant, id, '');
    await done.catch(() => {});
    return '';
  };
}
