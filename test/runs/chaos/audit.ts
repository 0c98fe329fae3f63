/** Reads the tasks of a run through the API alone. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { DescMethodUnary, MessageInitShape, MessageShape } from '@bufbuild/protobuf';
import { grpcTransport } from '../../../src/client/grpc/transport.ts';
import { statusOf } from '../../../src/client/tasks/status.ts';
import type { Transport } from '../../../src/client/transport.ts';
import { HoldfastError } from '../../../src/core/errors.ts';
import { eventKinds } from '../../../src/core/task/event.ts';
import { systemClock } from '../../../src/platform/clock.ts';
import { TaskView } from '../../../src/rpc/gen/holdfast/v1/task_pb.ts';
import { TaskService } from '../../../src/rpc/gen/holdfast/v1/task_service_pb.ts';
import type { CertificateFiles } from '../../../src/tls/load.ts';
import { inputHash, queues, resultHash, type Work, type WorkResult } from './contract.ts';
import type { EventRecord } from './history.ts';
import type { TaskRecord } from './judge.ts';

const callMs = 10_000;
const callsAtOnce = 32;
const tries = 30;
const retryMs = 500;
const pageItems = 100;

export class Audit {
  readonly #transports: readonly Transport[];
  #next = 0;

  /** Connects to the servers directly, past all links. */
  constructor(ports: readonly number[], tls: CertificateFiles) {
    const clock = systemClock();
    this.#transports = ports.map((port) => grpcTransport({ address: `127.0.0.1:${port}`, tls, clock }));
  }

  /** Makes a call to the next server, and repeats it for some seconds. */
  async #call<M extends DescMethodUnary>(
    method: M,
    request: MessageInitShape<M['input']>,
  ): Promise<MessageShape<M['output']>> {
    for (let left = tries; ; left--) {
      const transport = this.#transports[this.#next++ % this.#transports.length] as Transport;
      try {
        return await transport.call(method, request, { timeoutMs: callMs });
      } catch (thrown) {
        const isAnswer = thrown instanceof HoldfastError && thrown.code === 'NOT_FOUND';
        if (isAnswer || left === 0) throw thrown;
        await sleep(retryMs);
      }
    }
  }

  /** Returns the ids of the tasks that have not ended. A task that does not exist counts as ended. */
  async unended(ids: readonly string[]): Promise<string[]> {
    const read = async (id: string): Promise<string[]> => {
      const task = await this.#task(id, TaskView.BASIC);
      return task === undefined || task.endedAtMs > 0n ? [] : [id];
    };
    return (await inParallel(ids, read)).flat();
  }

  async #task(id: string, view: TaskView) {
    try {
      return (await this.#call(TaskService.method.getTask, { id, view })).task;
    } catch (thrown) {
      if (thrown instanceof HoldfastError && thrown.code === 'NOT_FOUND') return undefined;
      throw thrown;
    }
  }

  async #events(id: string): Promise<EventRecord[]> {
    const events: EventRecord[] = [];
    for (;;) {
      const request = { id, fromVersion: events.length };
      const page = await this.#call(TaskService.method.getTaskHistory, request);
      for (const { kind, atMs, fencingToken, attempt } of page.events) {
        const name = eventKinds[kind] ?? 'unknown';
        events.push({ kind: name, atMs: Number(atMs), fencingToken: Number(fencingToken), attempt });
      }
      if (!page.hasMore) return events;
    }
  }

  /** Returns the tasks with these ids that exist, with their histories. */
  async tasks(ids: readonly string[]): Promise<TaskRecord[]> {
    const read = async (id: string): Promise<TaskRecord[]> => {
      const task = await this.#task(id, TaskView.FULL);
      if (task === undefined) return [];
      const { idempotencyKey, state, deadReason, input, result } = statusOf(task);
      const work = input as Work;
      return [
        {
          ...{ id: task.id, key: idempotencyKey, plan: work.plan, state, deadReason },
          inputHash: inputHash(work),
          resultHash: result === undefined ? undefined : resultHash(result as WorkResult),
          events: await this.#events(id),
        },
      ];
    };
    return (await inParallel(ids, read)).flat();
  }

  /** Returns the id and the key of each task in the lists of the queues. */
  async list(): Promise<{ readonly id: string; readonly key: string }[]> {
    const listed: { readonly id: string; readonly key: string }[] = [];
    for (const queue of queues) {
      let pageToken = '';
      do {
        const request = { queue, pageSize: pageItems, pageToken };
        const page = await this.#call(TaskService.method.listTasks, request);
        for (const { id, idempotencyKey } of page.tasks) listed.push({ id, key: idempotencyKey });
        pageToken = page.nextPageToken;
      } while (pageToken !== '');
    }
    return listed;
  }

  async close(): Promise<void> {
    await Promise.all(this.#transports.map((transport) => transport.close()));
  }
}

async function inParallel<T, R>(items: readonly T[], run: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  const waiting = items.entries();
  const worker = async (): Promise<void> => {
    for (const [i, item] of waiting) results[i] = await run(item);
  };
  await Promise.all(Array.from({ length: callsAtOnce }, worker));
  return results;
}
