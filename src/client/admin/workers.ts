import { AdminService, type Worker } from '../../rpc/gen/holdfast/v1/admin_service_pb.ts';
import type { Caller } from '../calls.ts';

/** A worker that is connected to a server of the store, or that has polled within the last minute. */
export interface WorkerInfo {
  /** The name that the worker gave; not unique. Empty in a row that stands for unnamed workers. */
  readonly name: string;
  /** Unique for the process. Empty in a row that stands for unnamed workers. */
  readonly id: string;
  /** The queues that it takes tasks of. */
  readonly queues: readonly string[];
  /** The task types that it handles. */
  readonly types: readonly string[];
  /** The highest version that it handles of each type, in the order of `types`. */
  readonly maxVersions: readonly number[];
  /** The number of tasks that it holds. For a worker of another server it is up to a minute old. */
  readonly inFlight: number;
  /** The number of these tasks whose handler it has not called yet. */
  readonly reserved: number;
  /** True if it polls by ClaimTasks and holds no stream. */
  readonly polls: boolean;
  /** When its stream was opened, or since when it has polled; undefined in a row that stands for unnamed workers. */
  readonly connectedAt: Date | undefined;
  /** The server that gives it tasks; a worker that polls SQS itself is its own. */
  readonly node: string;
  /** 0 for a named worker; else the number of workers with these queues and types for which the row stands. */
  readonly unlistedCount: number;
}

/** The answer of `client.workers.list`. */
export interface WorkerList {
  /** At most 4,096 rows. */
  readonly workers: readonly WorkerInfo[];
  /** True if there may be workers that are neither listed nor counted. */
  readonly incomplete: boolean;
}

/** The workers of all servers of the store: `client.workers`. */
export interface Workers {
  /** Lists the workers of a queue, or of all queues that this client may read. It reads no task. */
  list(options?: { readonly queue?: string | undefined }): Promise<WorkerList>;
}

/** Converts a protobuf worker to a WorkerInfo. */
export function workerInfoOf(worker: Worker): WorkerInfo {
  const { name, id, queues, types, maxVersions, inFlight, reserved, polls, connectedAtMs, node } = worker;
  const connectedAt = connectedAtMs === 0n ? undefined : new Date(Number(connectedAtMs));
  const { unlistedCount } = worker;
  return {
    ...{ name, id, queues, types, maxVersions, inFlight, reserved, polls, connectedAt, node, unlistedCount },
  };
}

/** Returns `client.workers`. */
export function createWorkers(caller: Pick<Caller, 'call'>, tenant: string): Workers {
  return {
    async list({ queue = '' } = {}) {
      const { workers, incomplete } = await caller.call(AdminService.method.listWorkers, { tenant, queue });
      return { workers: workers.map(workerInfoOf), incomplete };
    },
  };
}
