import type { HoldfastError } from '../../src/core/errors.ts';
import type { QueueRef } from '../../src/core/queue-ref.ts';
import type { Delivery, DispatchMessage, DispatchReason, ReceiveRequest } from '../../src/ports/broker.ts';
import type { LaneKey, Snapshot, TaskFilter } from '../../src/ports/task-store.ts';
import { queue, type SubmissionRequest } from './submissions.ts';
import { TaskFixture } from './task-fixture.ts';

export { queue, type SubmissionRequest } from './submissions.ts';
export type { EngineUnderTest as Opened } from './task-fixture.ts';

/** The store and the broker of an engine under test, with methods that call them as the service does. */
export class StoreFixture extends TaskFixture {
  lane(orderingKey: string): LaneKey {
    return { ...queue, orderingKey };
  }

  messageOf(task: Snapshot, reason: DispatchReason = 'submit'): DispatchMessage {
    const { scope, options, type, typeVersion } = task.submission;
    const { version } = task.head;
    const ref = { tenant: scope.tenant, queue: scope.queue };
    return { id: task.id, queue: ref, priority: options.priority, type, typeVersion, version, reason };
  }

  /**
   * Sends the tasks' dispatch messages if the broker is external (beside the store, like SQS). A transactional broker
   * has sent the messages in the commit that accepted the tasks.
   */
  async sendIfExternal(tasks: readonly Snapshot[], reason: DispatchReason = 'submit'): Promise<void> {
    if (this.transactionalDispatch) return;
    const sent = await this.broker.send(tasks.map((task) => this.messageOf(task, reason)));
    if (!sent.every((one) => one === true)) throw new Error('not sent');
  }

  /** Accepts a task and sends its dispatch message. */
  async acceptAndSend(request: SubmissionRequest = {}): Promise<Snapshot> {
    const task = await this.accept(request);
    await this.sendIfExternal([task]);
    return task;
  }

  receiveRequest(request: Partial<ReceiveRequest> & { tasks?: number; bytes?: number } = {}): ReceiveRequest {
    const { tasks = 10, bytes = 1_000_000 } = request;
    return {
      types: [{ type: 'send', maxVersion: 1 }],
      room: () => ({ tasks, bytes }),
      waitMs: 0,
      signal: new AbortController().signal,
      ...request,
    };
  }

  receive(
    request: Parameters<StoreFixture['receiveRequest']>[0] = {},
    queues: readonly QueueRef[] = [queue],
  ): Promise<readonly Delivery[]> {
    return this.broker.receive(queues, this.receiveRequest(request));
  }

  async receiveOne(): Promise<Delivery> {
    const [delivery] = await this.receive({ tasks: 1 });
    if (delivery === undefined) throw new Error('no delivery');
    return delivery;
  }

  /** Reads every page of a list. Returns all items, and how many tasks each page examined. */
  async listAll(
    filter: Partial<TaskFilter> = {},
    limit = 100,
  ): Promise<{ items: Snapshot[]; examined: number[] }> {
    const items: Snapshot[] = [];
    const examined: number[] = [];
    let cursor: string | undefined;
    do {
      const page = await this.store.list({ ...queue, ...filter }, { limit, cursor, nowMs: this.now });
      items.push(...page.items);
      examined.push(page.examined);
      cursor = page.cursor;
    } while (cursor !== undefined);
    return { items, examined };
  }

  /** Returns the ids of the tasks that are due at `nowMs`: up to `limit` from each shard of the due index. */
  async dueIds(nowMs = this.now, limit = 100): Promise<string[]> {
    const ids: string[] = [];
    for (let shard = 0; shard < this.store.dueShards; shard++) {
      for (const { id } of (await this.store.due(shard, nowMs, limit)).entries) ids.push(id);
    }
    return ids;
  }
}

export function ids(snapshots: readonly (Snapshot | undefined)[]): (string | undefined)[] {
  return snapshots.map((snapshot) => snapshot?.id);
}

/** Returns the error that a call rejects with. Throws if the call succeeds. */
export async function errorOf(call: Promise<unknown>): Promise<HoldfastError> {
  try {
    await call;
  } catch (error) {
    return error as HoldfastError;
  }
  throw new Error('the call did not fail');
}
