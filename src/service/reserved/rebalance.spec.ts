import { beforeEach, describe, expect, it } from 'vitest';
import {
  type ApiNode,
  apiNode,
  callContext,
  item,
  specOf,
  submitItems,
} from '../../../test/fixtures/api-node.ts';
import type { Assignment, CancelCause } from '../../core/messages.ts';
import type { Session, WorkerHello } from '../service.ts';

const note = { type: 'note', maxVersion: 1 };
const slow = { type: 'slow', maxVersion: 1 };

/** A worker's stream. The worker begins nothing, and gives recalled tasks back unless it is `deaf`. */
class Worker {
  readonly node: ApiNode;
  readonly session: Session;
  readonly assigned: Assignment[] = [];
  readonly recalled: { readonly key: string; readonly cause: CancelCause; readonly atMs: number }[] = [];
  deaf = false;
  ended = 0;

  constructor(node: ApiNode, id: string, tasks: number, more: Partial<WorkerHello> = {}) {
    this.node = node;
    const hello = { tenant: 'default', workerName: 'w', workerId: id, queues: ['q'], types: [note] };
    const { session } = this.#open({ ...hello, tasks, bytes: 1_000_000, reportsBegun: true, ...more });
    this.session = session;
  }

  #open(hello: WorkerHello): { readonly session: Session } {
    const session: Session = this.node.service.openSession(hello, {
      assign: (seq, tasks) => {
        this.assigned.push(...tasks);
        session.received(seq);
      },
      cancel: (id, fencingToken, cause) => void this.#recall(id, fencingToken, cause),
      drain() {},
    });
    return { session };
  }

  get keys(): string[] {
    return this.assigned.map(({ key }) => key);
  }

  /** Ends all tasks that were assigned so far. */
  async endAll(): Promise<void> {
    const left = this.assigned.slice(this.ended);
    this.ended = this.assigned.length;
    const nothing = { result: undefined, message: '', errorType: '', afterMs: undefined };
    await this.node.service.settle(
      left.map(({ lease }) => ({ lease, outcome: 'succeeded', begun: true, ...nothing })),
      { tenant: 'default', sessionId: this.session.id },
    );
  }

  begin(...keys: readonly string[]): void {
    this.session.begun(
      keys.map((key) => this.keys.indexOf(key) + 1),
      [],
    );
  }

  async #recall(id: string, fencingToken: number, cause: CancelCause): Promise<void> {
    const task = this.assigned.find((one) => one.id === id && one.fencingToken === fencingToken);
    if (task === undefined) return;
    this.recalled.push({ key: task.key, cause, atMs: this.node.clock.monotonic() });
    if (this.deaf) return;
    const failure = { message: '', errorType: '', afterMs: undefined };
    await this.node.service.settle(
      [{ lease: task.lease, outcome: 'released', result: undefined, begun: false, ...failure }],
      { tenant: 'default', sessionId: this.session.id },
    );
  }
}

let node: ApiNode;
beforeEach(async () => {
  node = await apiNode();
});

async function historyOf(id: string) {
  return node.service.history('default', id, 0);
}

const keys = (count: number, prefix = 'k'): string[] =>
  Array.from({ length: count }, (_, i) => `${prefix}${i}`);

describe('a worker that waits for work beside one that keeps tasks in its buffer', () => {
  it('gets the newest of those tasks, as many as it has room for', async () => {
    await submitItems(node, ...keys(12).map((key) => item(key)));
    const busy = new Worker(node, 'busy', 12);
    await node.clock.advance(150);
    busy.begin('k0', 'k1');
    const free = new Worker(node, 'free', 3);
    await node.clock.advance(200);
    expect(busy.recalled.map(({ key, cause }) => [key, cause])).toEqual([
      ['k11', 'rebalance'],
      ['k10', 'rebalance'],
      ['k9', 'rebalance'],
    ]);
    expect(free.keys.toSorted()).toEqual(['k10', 'k11', 'k9']);
    // The busy worker has credit for three tasks again, but gets none of those that it gave up.
    expect(busy.keys).toHaveLength(12);
    const given = free.assigned[0] as Assignment;
    expect(given.attempt).toBe(1);
    expect((await historyOf(given.id)).map(({ kind }) => kind)).toEqual([
      'submitted',
      'claimed',
      'claimReleased',
      'claimed',
    ]);
    expect((await historyOf(given.id))[2]).toMatchObject({ countsAsRelease: false, retryAtMs: undefined });
  });

  it('gets at most half of the buffer at once, and more when it has begun them', async () => {
    await submitItems(node, ...keys(8).map((key) => item(key)));
    new Worker(node, 'busy', 8);
    const free = new Worker(node, 'free', 100);
    await node.clock.advance(250);
    expect(free.keys.toSorted()).toEqual(['k4', 'k5', 'k6', 'k7']);
    await node.clock.advance(1_000);
    expect(free.keys).toHaveLength(4);
    free.begin(...free.keys);
    await node.clock.advance(250);
    expect(free.keys).toHaveLength(6);
  });

  it('gets twice as many, and all that are left, if it is free again within a second', async () => {
    await submitItems(node, ...keys(30).map((key) => item(key)));
    const busy = new Worker(node, 'busy', 30);
    const free = new Worker(node, 'free', 4);
    const counts: number[] = [];
    for (let i = 0; i < 4; i++) {
      await node.clock.advance(250);
      counts.push(busy.recalled.length);
      // The free worker ends all that it gets at once, so that it has room again.
      while (free.ended < free.assigned.length) {
        await free.endAll();
        await node.clock.advance(1);
      }
    }
    expect(counts).toEqual([4, 12, 28, 30]);
    expect(free.keys).toHaveLength(30);
  });

  it('gets no task that was fetched less than 100 ms ago', async () => {
    const busy = new Worker(node, 'busy', 1);
    await submitItems(node, item('first'));
    const free = new Worker(node, 'free', 0);
    await node.clock.advance(200);
    busy.begin('first');
    busy.session.credit(1, 0, []);
    await submitItems(node, item('second'));
    free.session.credit(1, 0, []);
    await node.clock.advance(50);
    expect(busy.recalled).toEqual([]);
    await node.clock.advance(250);
    expect(free.keys).toEqual(['second']);
  });

  it('gets no task of a type, a version or a queue that it does not take, nor more than the limit of a type', async () => {
    const slowItems = keys(4, 's').map((key) => item(key, { spec: specOf('{}', 'slow') }));
    await submitItems(node, item('n0'), item('n1'), ...slowItems);
    await node.api.submit({ tenant: '', queue: 'other', items: [item('o')] }, callContext());
    const busy = new Worker(node, 'busy', 7, { types: [note, slow], queues: ['q', 'other'] });
    new Worker(node, 'print', 10, { types: [{ type: 'print', maxVersion: 1 }] });
    new Worker(node, 'old', 10, { types: [{ type: 'note', maxVersion: 0 }] });
    await node.clock.advance(1_000);
    expect(busy.recalled).toEqual([]);
    const limited = new Worker(node, 'limited', 10, { types: [note, { ...slow, tasks: 1 }] });
    await node.clock.advance(250);
    expect(limited.keys.toSorted()).toEqual(['n0', 'n1', 's3']);
  });

  it('is not given tasks that the busy worker has begun', async () => {
    await submitItems(node, item('a'), item('b'));
    const busy = new Worker(node, 'busy', 2);
    await node.clock.advance(10);
    busy.begin('a', 'b');
    const free = new Worker(node, 'free', 2);
    await node.clock.advance(5_000);
    expect([busy.recalled, free.keys]).toEqual([[], []]);
  });
});

describe('workers that all keep tasks in their buffers', () => {
  it('exchange none of them', async () => {
    const workers = ['a', 'b', 'c'].map((id) => new Worker(node, id, 4));
    await node.clock.advance(10);
    await submitItems(node, ...keys(6).map((key) => item(key)));
    await node.clock.advance(3_000);
    expect(workers.flatMap(({ keys: held }) => held).toSorted()).toEqual(keys(6));
    expect(workers.flatMap(({ recalled }) => recalled)).toEqual([]);
  });
});

it('a worker with two streams, because the older one drains, exchanges no tasks with itself', async () => {
  await submitItems(node, ...keys(4).map((key) => item(key)));
  const older = new Worker(node, 'same', 4);
  await node.clock.advance(150);
  older.session.drain();
  const newer = new Worker(node, 'same', 4);
  await node.clock.advance(2_000);
  expect([older.recalled, newer.keys]).toEqual([[], []]);
  new Worker(node, 'free', 1);
  await node.clock.advance(250);
  expect(older.recalled.map(({ key }) => key)).toEqual(['k3']);
});

it('a task that its worker does not give back is recalled at most once a second', async () => {
  await submitItems(node, item('a'));
  const busy = new Worker(node, 'busy', 1);
  busy.deaf = true;
  new Worker(node, 'free', 1);
  await node.clock.advance(5_000);
  const times = busy.recalled.map(({ atMs }) => atMs);
  expect(times.length).toBeGreaterThan(2);
  for (const [i, atMs] of times.slice(1).entries())
    expect(atMs - (times[i] ?? 0)).toBeGreaterThanOrEqual(1_000);
});

it('a worker that gave tasks up gets new ones again after half a second', async () => {
  await submitItems(node, item('a'), item('b'));
  const busy = new Worker(node, 'busy', 2);
  const free = new Worker(node, 'free', 1);
  await node.clock.advance(250);
  expect(free.keys).toEqual(['b']);
  await submitItems(node, item('c'));
  await node.clock.advance(450);
  expect(busy.keys).toEqual(['a', 'b']);
  await node.clock.advance(100);
  expect(busy.keys).toEqual(['a', 'b', 'c']);
});
