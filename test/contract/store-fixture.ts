import type { HoldfastError } from '../../src/core/errors.ts';
import type { Delivery, DispatchMessage, DispatchReason, Want } from '../../src/ports/broker.ts';
import type { Filter, LaneKey, QueueRef, Snapshot } from '../../src/ports/task-store.ts';
import { type Asked, queue } from './submissions.ts';
import { TaskBench } from './task-fixture.ts';

export { type Asked, queue } from './submissions.ts';
export type { Opened } from './task-fixture.ts';

/** A store under test and its bells, as their callers use them. */
export class Bench extends TaskBench {
  lane(orderingKey: string): LaneKey {
    return { ...queue, orderingKey };
  }

  messageOf(task: Snapshot, reason: DispatchReason = 'submit'): DispatchMessage {
    const { scope, options, type, typeVersion } = task.submission;
    const { version } = task.head;
    const ref = { tenant: scope.tenant, queue: scope.queue };
    return { id: task.id, queue: ref, priority: options.priority, type, typeVersion, version, reason };
  }

  /** Where bells are apart, what makes a ready task be heard; where they are in the commit, nothing. */
  async sendIfExternal(tasks: readonly Snapshot[], reason: DispatchReason = 'submit'): Promise<void> {
    if (this.transactionalDispatch) return;
    const sent = await this.broker.send(tasks.map((task) => this.messageOf(task, reason)));
    if (!sent.every((one) => one === true)) throw new Error('not sent');
  }

  /** Accepted, and its bell rung. */
  async acceptSent(asked: Asked = {}): Promise<Snapshot> {
    const task = await this.accept(asked);
    await this.sendIfExternal([task]);
    return task;
  }

  want(want: Partial<Want> & { tasks?: number; bytes?: number } = {}): Want {
    const { tasks = 10, bytes = 1_000_000 } = want;
    return {
      types: [{ type: 'send', maxVersion: 1 }],
      room: () => ({ tasks, bytes }),
      waitMs: 0,
      signal: new AbortController().signal,
      ...want,
    };
  }

  receive(
    want: Parameters<Bench['want']>[0] = {},
    queues: readonly QueueRef[] = [queue],
  ): Promise<readonly Delivery[]> {
    return this.broker.receive(queues, this.want(want));
  }

  async receiveOne(): Promise<Delivery> {
    const [delivery] = await this.receive({ tasks: 1 });
    if (delivery === undefined) throw new Error('no delivery');
    return delivery;
  }

  /** Every page of a list; what each page examined. */
  async listAll(
    filter: Partial<Filter> = {},
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

  /** Due entries of every shard. */
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

/** What a call was refused with. */
export async function refusal(call: Promise<unknown>): Promise<HoldfastError> {
  try {
    await call;
  } catch (error) {
    return error as HoldfastError;
  }
  throw new Error('was not refused');
}
