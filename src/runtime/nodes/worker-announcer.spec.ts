import { beforeEach, describe, expect, test } from 'vitest';
import { type StallingClock, stallingClock } from '../../../test/fixtures/stalling-clock.ts';
import { type MemoryEngine, memory } from '../../engines/memory/index.ts';
import { silentLog } from '../../ports/log.ts';
import type { RegistryEntry } from '../../ports/registry.ts';
import {
  announcementLastsMs,
  type WorkerAnnouncement,
  workersKind,
} from '../../service/admin/worker-announcement.ts';
import { createService } from '../../service/create-service.ts';
import type { Service, Session, WorkerHello } from '../../service/service.ts';
import { externalMemory } from '../../testing/external-broker.ts';
import { type VirtualClock, virtualClock } from '../../testing/virtual-clock.ts';
import { type Runtime, startRuntime } from '../runtime.ts';

const mail = { tenant: 'default', queue: 'mail' };
/** A process announces a change of its connected workers within this time in ms. */
const announcedWithinMs = 5_000;
const minuteMs = 60_000;

let clock: VirtualClock;
let engine: MemoryEngine;
/**
 * The writes of worker announcements to the registry. `won` is false if another process wrote to the registry entry
 * first.
 */
let puts: { readonly node: string; readonly key: string; readonly won: boolean }[];
let isDown: boolean;
/** If true, each request to the store takes 20 ms, so that the requests of several processes overlap. */
let isSlow: boolean;
/** If true, each write to the registry takes effect, but the writer gets an error. */
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
  /** Connects a worker to this process: opens the worker's stream. */
  worker(name: string, more?: Partial<WorkerHello>): Session;
  /** Returns the names of the workers that this process knows. */
  knownWorkers(queue?: string): Promise<string[]>;
  kill(): void;
}

/**
 * Starts a server that workers connect to, or (without `takesPart`) a worker process that receives deliveries by itself.
 */
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
      const credits = { tasks: 1, bytes: 1_000, reportsBegun: true };
      return service.openSession({ ...hello, ...credits, ...more }, { assign() {}, cancel() {}, drain() {} });
    },
    async knownWorkers(queue) {
      return (await service.workers('default', queue)).workers.map((one) => one.name).sort();
    },
    kill: () => own.kill(),
  };
}

/** Returns all worker announcements in the registry. */
async function announcements(): Promise<
  (Omit<RegistryEntry, 'value'> & { readonly value: WorkerAnnouncement })[]
> {
  return (await engine.registry.list(workersKind, '')) as never;
}

describe('announced workers', () => {
  test('are known to the other processes within 5 s, with all their fields', async () => {
    const [server, sqs] = [await process('server', true), await process('sqs')];
    await server.service.updateQueue(mail, { create: true }, 'op');
    await clock.advance(2_000);
    const startedAtMs = clock.now();
    sqs.worker('w');
    await clock.advance(announcedWithinMs);
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
          reserved: 0,
          connectedAtMs: startedAtMs,
          node: 'sqs',
          unlistedCount: 0,
          polls: false,
          room: { freeTasks: 1, fullTypes: [], announcedAtMs: expect.any(Number) },
        },
      ],
    });
    expect(await server.service.queue(mail)).toMatchObject({ workers: 1 });
    expect(await server.service.queues('default')).toMatchObject([{ queue: 'mail', workers: 1 }]);
    expect(await sqs.knownWorkers()).toEqual(['w']);
  });

  test('are listed by tenant and queue', async () => {
    const [server, sqs] = [await process('server', true), await process('sqs')];
    sqs.worker('a', { queues: ['mail', 'bulk'] });
    sqs.worker('b', { queues: ['bulk'] });
    sqs.worker('c', { tenant: 'acme' });
    await clock.advance(announcedWithinMs);
    expect(await server.knownWorkers('mail')).toEqual(['a']);
    expect(await server.knownWorkers('bulk')).toEqual(['a', 'b']);
    expect(await server.knownWorkers()).toEqual(['a', 'b']);
    expect((await server.service.workers('acme', undefined)).workers).toMatchObject([{ name: 'c' }]);
  });

  test('are listed by name up to 50 workers per process; all other workers are counted by task type', async () => {
    const server = await process('server', true);
    await server.service.updateQueue(mail, { create: true }, 'op');
    for (const node of ['a', 'b']) {
      const other = await process(node, true);
      for (let i = 0; i < 300; i++) other.worker(`${node}-${i}`);
      other.worker('z', { types: [{ type: 'rare', maxVersion: 1 }] });
    }
    await clock.advance(announcedWithinMs);
    const { workers, isComplete } = await server.service.workers('default', 'mail');
    expect(workers.filter(({ name }) => name !== '')).toHaveLength(100);
    const unnamed = workers.filter(({ name }) => name === '');
    expect(unnamed.map((one) => `${one.node} ${one.types[0]} ${one.unlistedCount}`).sort()).toEqual([
      'a rare 1',
      'a send 250',
      'b rare 1',
      'b send 250',
    ]);
    expect(isComplete).toBe(true);
    expect(await server.service.queue(mail)).toMatchObject({ workers: 602 });
    expect(await server.service.queues('default')).toMatchObject([{ queue: 'mail', workers: 602 }]);
  });

  test('are listed as incomplete while a process has more kinds of workers than its announcement can hold', async () => {
    const [server, other] = [await process('server', true), await process('other', true)];
    const streams = Array.from({ length: 20 }, (_, i) => {
      const types = Array.from({ length: 256 }, (_, k) => ({
        type: `${i}-${k}`.padEnd(64, 'x'),
        maxVersion: 1,
      }));
      return other.worker(`w-${i}`, { types });
    });
    await clock.advance(announcedWithinMs);
    expect(await server.service.workers('default', 'mail')).toMatchObject({ isComplete: false });
    for (const stream of streams.slice(5)) stream.close();
    await clock.advance(announcedWithinMs);
    expect(await server.service.workers('default', 'mail')).toMatchObject({ isComplete: true });
  });

  test('that another version of Holdfast announces are not listed, the list is incomplete, and their announcement is overwritten only when it is outdated', async () => {
    const kinds = [
      { ...mail, queues: ['mail'], types: ['send'], maxVersions: [1], workers: [{ name: 'old' }] },
    ];
    const value = { id: 'old', node: 'old', writtenAtMs: clock.now(), kinds, isComplete: true };
    await engine.registry.put(workersKind, 'old', value, 'absent');
    const [server, sqs] = [await process('server', true), await process('sqs')];
    expect(await server.service.workers('default', 'mail')).toEqual({ workers: [], isComplete: false });
    sqs.worker('w');
    await clock.advance(announcedWithinMs);
    expect(await server.knownWorkers()).toEqual(['w']);
    expect(await engine.registry.get(workersKind, 'old')).toMatchObject({ value });
    await clock.advance(announcementLastsMs);
    expect(await server.service.workers('default', 'mail')).toMatchObject({ isComplete: true });
    const later = await process('later');
    later.worker('v');
    await clock.advance(announcedWithinMs);
    expect(await engine.registry.get(workersKind, 'old')).toMatchObject({ value: { node: 'later' } });
  });

  test('are listed once, on their new node, if they moved to another node', async () => {
    const nodes = [await process('a', true), await process('b', true), await process('c', true)] as const;
    const before = [nodes[0].worker('w'), nodes[1].worker('v')];
    await clock.advance(announcedWithinMs);
    nodes[1].worker('w');
    nodes[0].worker('v');
    await clock.advance(announcedWithinMs);
    const nodesOf = async ({ service }: Process): Promise<string[]> => {
      const { workers } = await service.workers('default', 'mail');
      return workers.map((one) => `${one.name} on ${one.node}`).sort();
    };
    expect(await nodesOf(nodes[2])).toEqual(['v on a', 'w on b']);
    for (const stream of before) stream.close();
    for (const each of nodes) expect(await nodesOf(each)).toEqual(['v on a', 'w on b']);
  });

  test('are gone from the list of their own node once they disconnect, before the next announcement', async () => {
    const server = await process('server', true);
    const stream = server.worker('w');
    await clock.advance(announcedWithinMs);
    stream.close();
    expect(await server.knownWorkers()).toEqual([]);
  });

  test('are listed without any write to the registry on a store with one writer', async () => {
    begin(memory);
    const only = await process('only', true);
    only.worker('w');
    expect(await only.knownWorkers()).toEqual(['w']);
    await clock.advance(minuteMs);
    expect(puts).toEqual([]);
    expect(await announcements()).toEqual([]);
  });
});

describe('an announcement of workers', () => {
  test('is not written by a process without workers', async () => {
    await process('server', true);
    await process('sqs');
    await clock.advance(10 * minuteMs);
    expect(puts).toEqual([]);
  });

  test('is written once a minute while nothing changes, and once more after the last worker is gone', async () => {
    const sqs = await process('sqs');
    const stream = sqs.worker('w');
    await clock.advance(announcedWithinMs);
    await clock.advance(10 * minuteMs);
    expect(puts).toHaveLength(11);
    stream.close();
    await clock.advance(announcedWithinMs);
    expect(puts).toHaveLength(12);
    expect(await announcements()).toMatchObject([{ value: { kinds: [] } }]);
    await clock.advance(10 * minuteMs);
    expect(puts).toHaveLength(12);
  });

  test('is written once for many changes within 5 s, and not at all for a worker that opens its stream again', async () => {
    const server = await process('server', true);
    await clock.advance(1_000);
    const streams = Array.from({ length: 50 }, (_, i) => server.worker(`w-${i}`));
    await clock.advance(announcedWithinMs);
    expect(puts).toHaveLength(1);
    for (const [i, stream] of streams.entries()) {
      server.worker(`w-${i}`);
      await clock.advance(100);
      stream.close();
    }
    await clock.advance(announcedWithinMs);
    expect(puts).toHaveLength(1);
  });

  test('is written when the registry works again, if its write has failed', async () => {
    const [server, sqs] = [await process('server', true), await process('sqs')];
    isDown = true;
    sqs.worker('w');
    await clock.advance(minuteMs);
    isDown = false;
    await clock.advance(announcedWithinMs);
    expect(await server.knownWorkers()).toEqual(['w']);
  });
});

describe('the list of workers', () => {
  test('loses a worker at once when the process that announced the worker stops gracefully', async () => {
    const [server, sqs] = [await process('server', true), await process('sqs')];
    sqs.worker('w');
    await clock.advance(announcedWithinMs);
    expect(await server.knownWorkers()).toEqual(['w']);
    void sqs.runtime.stop();
    await clock.settle();
    expect(await server.knownWorkers()).toEqual([]);
    await clock.advance(2 * minuteMs);
    expect(await announcements()).toMatchObject([{ value: { kinds: [] } }]);
  });

  test.each([0, 2_500, 59_000])(
    'loses a worker within 3 minutes if the process that announced the worker is killed %i ms after the announcement',
    async (ms) => {
      const [server, sqs] = [await process('server', true), await process('sqs')];
      sqs.worker('w');
      await clock.advance(announcedWithinMs + ms);
      sqs.kill();
      await clock.advance(minuteMs);
      expect(await server.knownWorkers()).toEqual(['w']);
      await clock.advance(2 * minuteMs);
      expect(await server.knownWorkers()).toEqual([]);
    },
  );

  test('keeps a worker while the process that announced the worker lives, even if a write of the announcement failed', async () => {
    const [server, sqs] = [await process('server', true), await process('sqs')];
    sqs.worker('w');
    await clock.advance(announcedWithinMs + minuteMs - 1_000);
    isDown = true;
    await clock.advance(100_000);
    isDown = false;
    expect(await server.knownWorkers()).toEqual(['w']);
    await clock.advance(announcedWithinMs);
    for (let i = 0; i < 6; i++) {
      await clock.advance(minuteMs / 2);
      expect(await server.knownWorkers()).toEqual(['w']);
    }
  });
});

describe('registry entries of worker announcements', () => {
  test('are taken over by other processes once they are outdated, so that their number stays at the largest number of processes that had workers at the same time', async () => {
    for (let life = 0; life < 8; life++) {
      const pair = [await process(`a-${life}`), await process(`b-${life}`)];
      for (const [i, one] of pair.entries()) one.worker(`w-${life}-${i}`);
      await clock.advance(announcedWithinMs);
      expect(await pair[0]?.knownWorkers()).toEqual([`w-${life}-0`, `w-${life}-1`]);
      for (const one of pair) {
        if (life % 2 === 0) one.kill();
        else void one.runtime.stop();
      }
      await clock.advance(4 * minuteMs);
    }
    expect(await announcements()).toHaveLength(2);
  });

  test('are taken over by many processes at once so that each process gets one entry, and all workers are announced', async () => {
    const before = await Promise.all(Array.from({ length: 15 }, (_, i) => process(`before-${i}`)));
    for (const one of before) one.worker('old');
    await clock.advance(announcedWithinMs);
    for (const one of before) one.kill();
    await clock.advance(4 * minuteMs);
    const many = await Promise.all(Array.from({ length: 20 }, (_, i) => process(`p-${i}`)));
    for (const [i, one] of many.entries()) one.worker(`w-${i}`);
    isSlow = true;
    await clock.advance(2 * announcedWithinMs);
    isSlow = false;
    expect(await many[0]?.knownWorkers()).toHaveLength(20);
    expect(await announcements()).toHaveLength(20);
    expect(puts.some(({ won }) => !won)).toBe(true);
  });

  test('are kept by their process after a write whose response was lost', async () => {
    const sqs = await process('sqs');
    const stream = sqs.worker('w');
    isAnswerLost = true;
    await clock.advance(3 * announcedWithinMs);
    isAnswerLost = false;
    await clock.advance(announcedWithinMs);
    stream.close();
    await clock.advance(announcedWithinMs);
    expect(await announcements()).toMatchObject([{ value: { kinds: [] } }]);
  });

  test('may be taken over from a stalled process, and the workers of both processes are announced after the stall', async () => {
    const stalled = await process('stalled');
    stalled.worker('w');
    await clock.advance(announcedWithinMs);
    stalled.clock.stall();
    await clock.advance(4 * minuteMs);
    const other = await process('other');
    other.worker('v');
    await clock.advance(announcedWithinMs);
    expect(await other.knownWorkers()).toEqual(['v']);
    stalled.clock.resume();
    await clock.advance(announcedWithinMs);
    expect(await other.knownWorkers()).toEqual(['v', 'w']);
    expect(await stalled.knownWorkers()).toEqual(['v', 'w']);
    expect(await announcements()).toHaveLength(2);
  });
});
