/** Finds the queue for a submission that names none, and the notes about a task that no worker takes. */
import type { Transport } from '../../../client/transport.ts';
import { asHoldfastError } from '../../../core/errors.ts';
import { nearest } from '../../../core/nearest.ts';
import { AdminService, type Worker } from '../../../rpc/gen/holdfast/v1/admin_service_pb.ts';
import type { Task } from '../../../rpc/gen/holdfast/v1/task_pb.ts';
import { usage } from '../../exit-codes.ts';
import type { Output } from '../../output.ts';

/** The longest wait in ms for an answer that is needed for a note, or to find a queue. */
const noteTimeoutMs = 2_000;
const defaultQueue = 'default';

function handles({ types, maxVersions }: Worker, type: string, version: number): boolean {
  return types.some((one, i) => one === type && (maxVersions[i] ?? version) >= version);
}

/** Returns the known workers; undefined if the caller may not list them. */
async function workersOf(transport: Transport, tenant: string, queue = '') {
  const call = { timeoutMs: noteTimeoutMs };
  return transport.call(AdminService.method.listWorkers, { tenant, queue }, call).catch(() => undefined);
}

/**
 * Returns the queue whose workers handle the type: `default` if it is one of them, or if no worker handles it, or if the
 * caller may not list the workers.
 *
 * @throws HoldfastError INVALID_ARGUMENT if workers of several other queues handle it.
 */
export async function handlingQueue(
  transport: Transport,
  {
    tenant,
    type,
    typeVersion,
  }: { readonly tenant: string; readonly type: string; readonly typeVersion: number },
): Promise<string> {
  const known = await workersOf(transport, tenant);
  const handling = known?.workers.filter((worker) => handles(worker, type, typeVersion)) ?? [];
  const queues = [...new Set(handling.flatMap((worker) => worker.queues))].sort();
  const [only] = queues;
  if (only === undefined || queues.includes(defaultQueue)) return defaultQueue;
  if (queues.length === 1) return only;
  throw usage(
    `Workers of several queues handle '${type}': ${queues.slice(0, 8).join(', ')}.`,
    `Name one of them: --queue ${only}.`,
  );
}

/**
 * Prints a note if no known worker handles the task's type. A missing worker is no error: a worker may start later, and
 * a worker of another node is known only some seconds after its start. Nothing is printed if the caller may not list
 * the workers, or if the list is incomplete.
 */
export async function noteUnhandledType(transport: Transport, task: Task, output: Output): Promise<void> {
  const { type = '', typeVersion = 1 } = task.spec ?? {};
  const { tenant, queue } = task;
  const known = await workersOf(transport, tenant, queue);
  if (known === undefined || known.incomplete) return;
  if (known.workers.some((worker) => handles(worker, type, typeVersion))) return;
  const version = typeVersion > 1 ? `, type version ${typeVersion},` : '';
  output.note(
    `No worker for '${type}'${version} of queue '${queue}' is known (a worker that has just started may not be known yet). The task waits until a worker takes it.`,
  );
}

/**
 * Returns a note if the queue does not exist and another queue has nearly the same name: the submission creates the queue.
 * Returns undefined also if the caller may not read the queues.
 */
export async function newQueueNote(
  transport: Transport,
  tenant: string,
  name: string,
): Promise<string | undefined> {
  const call = { timeoutMs: noteTimeoutMs };
  try {
    await transport.call(AdminService.method.getQueue, { tenant, name }, call);
    return undefined;
  } catch (thrown) {
    if (asHoldfastError(thrown).reason !== 'QUEUE_UNKNOWN') return undefined;
  }
  const listing = transport.call(AdminService.method.listQueues, { tenant, withoutCounts: true }, call);
  const { queues } = await listing.catch(() => ({ queues: [] }));
  const meant = nearest(
    name,
    queues.map((queue) => queue.name),
  );
  return meant === undefined ? undefined : `Queue '${name}' is new; did you mean '${meant}'?`;
}
