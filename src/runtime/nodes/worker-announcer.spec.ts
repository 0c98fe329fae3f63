import { beforeEach, describe, expect, test } from 'vitest';
import { type StallingClock, stallingClock } from '../../../test/fixtures/stalling-clock.ts';
import { type MemoryEngine, memory } from '../../engines/memory/index.ts';
import { silentLog } from '../../ports/log.ts';
import type { Registered } from '../../ports/registry.ts';
import { type WorkersLine, workersKind } from '../../service/admin/worker-announcement.ts';
import { createService } from '../../service/create-service.ts';
import type { Service, Session, WorkerHello } from '../../service/service.ts';
import { externalMemory } from '../../testing/external-broker.ts';
import { type VirtualClock, virtualClock } from '../../testing/virtual-clock.ts';
import { type Runtime, startRuntime } from '../runtime.ts';

const mail = { tenant: 'default', queue: 'mail' };
/** By then a change is told. */
const toldMs = 5_000;
const minuteMs = 60_000;

let clock: VirtualClock;
let engine: MemoryEngine;
/** The puts of workers' lines, each with whether it was the first on it. */
let puts: { readonly node: string; readonly key: string; readonly won: boolean }[];
let isDown: boolean;
/** Requests take a while, so that those of several processes are under way at once. */
let isSlow: boolean;
/** What is written is there, and its writer is told that it failed. */
let isAnswerLost: boolean;

function begin(open = externalMemory): void {
  clock = virtualClock();
  isDown = false;
  isSlow = false;
  isAnswerLost = false;
  puts = [];
  const before = ({ name }: { readonly name: string }) => {
    if (isDown && name.startsWith('registry')) return Promise.reject(new Error('down'));
    return isSlow ? clock.sleep(20) : undefined;
  };
  engine = open({ clock, faults: { before } });
}
beforeEach(() => begin());

interface Process {
  readonly service: Service;
  readonly runtime: Runtime;
  readonly clock: StallingClock;
  /** Opens a worker's stream. */
  worker(name: string, more?: Partial<WorkerHello>): Session;
  /** Which workers it knows, by name. */
  known(queue?: string): Promise<string[]>;
  kill(): void;
}

/** A node that workers may hold streams to, or a worker that hears bells by itself: it takes no part in what is shared. */
async function process(name: string, takesPart = false): Promise<Process> {
  const own = stallingClock(clock.process());
  const ports = engine.connect(name);
  const put: typeof ports.registry.put = async (kind, key, value, rev) => {
    const won = await ports.registry.put(kind, key, value, rev);
    if (kind === workersKind) puts.push({ node: name, key, won });
    if (isAnswerLost) throw new Error('cut');
    return won;
  };
  const registry = { ...ports.registry, put };
  const options = { ...ports, registry, node: name, clock: own, log: silentLog, createQueues: true };
  const running = await createService(options);
  const { service } = running;
  const runtime = startRuntime(running, { takesPart });
  return {
    service,
    runtime,
    clock: own,
    worker(workerName, more = {}) {
      const types = [{ type: 'send', maxVersion: 2 }];
      const hello = { ...mail, workerName, workerId: `${workerName}-id`, queues: ['mail'], types };
      const credits = { tasks: 1, bytes: 1_000 };
      return service.openSession({ ...hello, ...credits, ...more }, { assign() {}, cancel() {}, drain() {} });
    },
    async known(queue) {
      return (await service.workers('default', queue)).workers.map((one) => one.name).sort();
    },
    kill: () => own.kill(),
  };
}

/** As they stand. */
async function lines(): Promise<(Omit<Registered, 'value'> & { readonly value: WorkersLine })[]> {
  return (await engine.registry.list(workersKind, '')) as never;
}

describe('what is told', () => {
  test('a worker of one process is known to the others within 5 s, as it is', async () => {
    const [server, sqs] = [await process('server', true), await process('sqs')];
    await clock.advance(2_000);
    const startedAtMs = clock.now();
    sqs.worker('w');
    await clock.advance(toldMs);
    expect(await server.service.workers('default', 'mail')).toEqual({
      isComplete: true,
      workers: [
        {
          tenant: 'default',
          name: 'w',
          id: 'w-id',
          queues: ['mail'],
          types: ['send'],
          maxVersions: [2],
          inFlight: 0,
          connectedAtMs: startedAtMs,
          node: 'sqs',
          othersAlike: 0,
        },
      ],
    });
    expect(await server.service.queue(mail)).toMatchObject({ workers: 1 });
    expect(await server.service.queues('default')).toMatchObject([{ queue: 'mail', workers: 1 }]);
    expect(await sqs.known()).toEqual(['w']);
  });

  test('each tenant and queue is told its own', async () => {
    const [server, sqs] = [await process('server', true), await process('sqs')];
    sqs.worker('a', { queues: ['mail', 'bulk'] });
    sqs.worker('b', { queues: ['bulk'] });
    sqs.worker('c', { tenant: 'acme' });
    await clock.advance(toldMs);
    expect(await server.known('mail')).toEqual(['a']);
    expect(await server.known('bulk')).toEqual(['a', 'b']);
    expect(await server.known()).toEqual(['a', 'b']);
    expect((await server.service.workers('acme', undefined)).workers).toMatchObject([{ name: 'c' }]);
  });

  test('more than find room are counted', async () => {
    const [server, other] = [await process('server', true), await process('other', true)];
    for (let i = 0; i < 300; i++) other.worker(`w-${i}`);
    await clock.advance(toldMs);
    const { workers, isComplete } = await server.service.workers('default', 'mail');
    expect(workers.length).toBeLessThan(150);
    expect(isComplete).toBe(true);
    expect(await server.service.queue(mail)).toMatchObject({ workers: 300 });
    for (let i = 0; i < 300; i++) other.worker('w', { types: [{ type: `t-${i}`, maxVersion: 1 }] });
    await clock.advance(toldMs);
    expect((await server.service.workers('default', 'mail')).isComplete).toBe(false);
  });

  test('a worker that moved is told once, by the node that has it now', async () => {
    const nodes = [await process('a', true), await process('b', true), await process('c', true)] as const;
    const before = [nodes[0].worker('w'), nodes[1].worker('v')];
    await clock.advance(toldMs);
    nodes[1].worker('w');
    nodes[0].worker('v');
    await clock.advance(toldMs);
    const nodesOf = async ({ service }: Process): Promise<string[]> => {
      const { workers } = await service.workers('default', 'mail');
      return workers.map((one) => `${one.name} on ${one.node}`).sort();
    };
    expect(await nodesOf(nodes[2])).toEqual(['v on a', 'w on b']);
    for (const stream of before) stream.close();
    for (const each of nodes) expect(await nodesOf(each)).toEqual(['v on a', 'w on b']);
  });

  test('a worker that is gone is known no more to its own node, whatever its line says yet', async () => {
    const server = await process('server', true);
    const stream = server.worker('w');
    await clock.advance(toldMs);
    stream.close();
    expect(await server.known()).toEqual([]);
  });

  test('a store with one writer is told nothing, and its process knows its own', async () => {
    begin(memory);
    const only = await process('only', true);
    only.worker('w');
    expect(await only.known()).toEqual(['w']);
    await clock.advance(minuteMs);
    expect(puts).toEqual([]);
    expect(await lines()).toEqual([]);
  });
});

describe('when it is told', () => {
  test('a process without workers writes nothing', async () => {
    await process('server', true);
    await process('sqs');
    await clock.advance(10 * minuteMs);
    expect(puts).toEqual([]);
  });

  test('a minute apart while nothing changes, and not again once it was told that there is none', async () => {
    const sqs = await process('sqs');
    const stream = sqs.worker('w');
    await clock.advance(toldMs);
    await clock.advance(10 * minuteMs);
    expect(puts).toHaveLength(11);
    stream.close();
    await clock.advance(toldMs);
    expect(puts).toHaveLength(12);
    expect(await lines()).toMatchObject([{ value: { kinds: [] } }]);
    await clock.advance(10 * minuteMs);
    expect(puts).toHaveLength(12);
  });

  test('many changes within 5 s are one, and a stream that is opened anew is none', async () => {
    const server = await process('server', true);
    await clock.advance(1_000);
    const streams = Array.from({ length: 50 }, (_, i) => server.worker(`w-${i}`));
    await clock.advance(toldMs);
    expect(puts).toHaveLength(1);
    for (const [i, stream] of streams.entries()) {
      server.worker(`w-${i}`);
      await clock.advance(100);
      stream.close();
    }
    await clock.advance(toldMs);
    expect(puts).toHaveLength(1);
  });

  test('what could not be told is told when the registry is back', async () => {
    const [server, sqs] = [await process('server', true), await process('sqs')];
    isDown = true;
    sqs.worker('w');
    await clock.advance(minuteMs);
    isDown = false;
    await clock.advance(toldMs);
    expect(await server.known()).toEqual(['w']);
  });
});

describe('a worker leaves the list', () => {
  test('at once when its process stops in order', async () => {
    const [server, sqs] = [await process('server', true), await process('sqs')];
    sqs.worker('w');
    await clock.advance(toldMs);
    expect(await server.known()).toEqual(['w']);
    void sqs.runtime.stop();
    await clock.settle();
    expect(await server.known()).toEqual([]);
    await clock.advance(2 * minuteMs);
    expect(await lines()).toMatchObject([{ value: { kinds: [] } }]);
  });

  test.each([0, 2_500, 59_000])('within 3 minutes when it is killed %i ms after it was told', async (ms) => {
    const [server, sqs] = [await process('server', true), await process('sqs')];
    sqs.worker('w');
    await clock.advance(toldMs + ms);
    sqs.kill();
    await clock.advance(minuteMs);
    expect(await server.known()).toEqual(['w']);
    await clock.advance(2 * minuteMs);
    expect(await server.known()).toEqual([]);
  });

  test('not while its process lives, though a write of it failed', async () => {
    const [server, sqs] = [await process('server', true), await process('sqs')];
    sqs.worker('w');
    await clock.advance(toldMs + minuteMs - 1_000);
    isDown = true;
    await clock.advance(100_000);
    isDown = false;
    expect(await server.known()).toEqual(['w']);
    await clock.advance(toldMs);
    for (let i = 0; i < 6; i++) {
      await clock.advance(minuteMs / 2);
      expect(await server.known()).toEqual(['w']);
    }
  });
});

describe('lines', () => {
  test('are taken over: never more than processes had workers at once', async () => {
    for (let life = 0; life < 8; life++) {
      const pair = [await process(`a-${life}`), await process(`b-${life}`)];
      for (const [i, one] of pair.entries()) one.worker(`w-${life}-${i}`);
      await clock.advance(toldMs);
      expect(await pair[0]?.known()).toEqual([`w-${life}-0`, `w-${life}-1`]);
      for (const one of pair) {
        if (life % 2 === 0) one.kill();
        else void one.runtime.stop();
      }
      await clock.advance(4 * minuteMs);
    }
    expect(await lines()).toHaveLength(2);
  });

  test('that many want at the same moment go to one each, and all are told', async () => {
    const before = await Promise.all(Array.from({ length: 15 }, (_, i) => process(`before-${i}`)));
    for (const one of before) one.worker('old');
    await clock.advance(toldMs);
    for (const one of before) one.kill();
    await clock.advance(4 * minuteMs);
    const many = await Promise.all(Array.from({ length: 20 }, (_, i) => process(`p-${i}`)));
    for (const [i, one] of many.entries()) one.worker(`w-${i}`);
    isSlow = true;
    await clock.advance(2 * toldMs);
    isSlow = false;
    expect(await many[0]?.known()).toHaveLength(20);
    expect(await lines()).toHaveLength(20);
    expect(puts.some(({ won }) => !won)).toBe(true);
  });

  test('that were written without an answer are gone on with', async () => {
    const sqs = await process('sqs');
    const stream = sqs.worker('w');
    isAnswerLost = true;
    await clock.advance(3 * toldMs);
    isAnswerLost = false;
    await clock.advance(toldMs);
    stream.close();
    await clock.advance(toldMs);
    expect(await lines()).toMatchObject([{ value: { kinds: [] } }]);
  });

  test('of a process that was held up may be another’s when it goes on: both are told', async () => {
    const held = await process('held');
    held.worker('w');
    await clock.advance(toldMs);
    held.clock.stall();
    await clock.advance(4 * minuteMs);
    const other = await process('other');
    other.worker('v');
    await clock.advance(toldMs);
    expect(await other.known()).toEqual(['v']);
    held.clock.goOn();
    await clock.advance(toldMs);
    expect(await other.known()).toEqual(['v', 'w']);
    expect(await held.known()).toEqual(['v', 'w']);
    expect(await lines()).toHaveLength(2);
  });
});
