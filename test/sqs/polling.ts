import { expect } from 'vitest';
import { priorities } from '../../src/core/submission/submission.ts';
import { createSqsBells, type SqsBells } from '../../src/engines/aws/broker/broker.ts';
import { lastPollMs } from '../../src/engines/aws/broker/priority-level.ts';
import { idsOf, mail, ring, rings, type Site, want } from './broker-on-sqs.ts';
import type { Says } from './says.ts';

const minuteMs = 60_000;
const other = { tenant: 'acme', queue: 'other' };

/** As a worker's session does: 20 s a wait, one after the other, until it is called off or the site is closed. */
function worker(site: Site, bells: SqsBells, queues = [mail], tasks = 10): Listening {
  const { signal } = site.closing;
  const heard: string[] = [];
  const loop = async (): Promise<void> => {
    while (!signal.aborted) {
      heard.push(...idsOf(await bells.receive(queues, want({ waitMs: 20_000, tasks, signal }))));
    }
  };
  void loop();
  return { heard };
}

interface Listening {
  readonly heard: readonly string[];
}

async function until(site: Site, done: () => boolean): Promise<void> {
  for (let i = 0; i < 200 && !done(); i++) {
    await new Promise((resolve) => setTimeout(resolve, 10));
    await site.clock.settle();
  }
}

/** Small steps, each long enough in real time for a poll to end and the next to begin. */
async function pass(site: Site, ms: number): Promise<void> {
  for (let left = ms; left > 0; left -= 10_000) {
    await site.clock.advance(Math.min(left, 10_000));
    await new Promise((resolve) => setTimeout(resolve, 150));
  }
}

export function polling(says: Says): void {
  says('idle workers of one process ask three times a minute, however many they are', async (site) => {
    const bells = await site.open();
    for (let i = 0; i < 3; i++) worker(site, bells);
    await until(site, () => site.front.count('ReceiveMessage') > 0);
    site.front.forget();
    await pass(site, minuteMs);
    expect(site.front.count('ReceiveMessage')).toBeGreaterThan(0);
    expect(site.front.count('ReceiveMessage')).toBeLessThanOrEqual(3);
  });

  says(
    'a queue of three priorities that was silent for long asks no more often than one of one',
    async (site) => {
      const bells = await site.open({ quietAfterMs: minuteMs });
      const listening = worker(site, bells);
      await pass(site, 2 * minuteMs);
      site.front.forget();
      await pass(site, minuteMs);
      expect(site.front.count('ReceiveMessage')).toBeLessThanOrEqual(3);
      // Each priority has its turn, and what this process rings is heard at once.
      const asked = site.front.calls.map((call) => String(call.body.QueueUrl));
      expect(new Set(asked).size).toBe(3);
      const silent = priorities.find((priority) => !asked.at(-1)?.includes(priority)) ?? 'normal';
      await bells.ring([ring('a', { priority: silent })]);
      await until(site, () => listening.heard.length === 1);
      expect(listening.heard).toEqual(['a']);
    },
    priorities,
  );

  says(
    'of a queue of three priorities all are listened to while it is in use',
    async (site) => {
      const bells = await site.open();
      const away = await site.open();
      const listening = worker(site, bells);
      for (const priority of priorities) {
        await until(site, () => site.front.calls.filter(isLongPoll).length >= 3);
        await away.ring([ring(priority, { priority })]);
        await until(site, () => listening.heard.includes(priority));
        expect(listening.heard).toContain(priority);
      }
    },
    priorities,
  );

  says('who has no room does not ask', async (site) => {
    const bells = await site.open();
    const waiting = bells.receive([mail], want({ waitMs: 20_000, tasks: 0 }));
    await bells.ring([ring('a')]);
    await site.clock.advance(20_000);
    expect(await waiting).toEqual([]);
    expect(site.front.count('ReceiveMessage')).toBe(0);
  });

  says('room that comes while waiting is found, whoever rang', async (site) => {
    const bells = await site.open();
    const away = await site.open();
    await away.ring([ring('a')]);
    let tasks = 0;
    const room = () => ({ tasks, bytes: 1_000 });
    const waiting = bells.receive([mail], want({ waitMs: 20_000, room }));
    await site.clock.advance(1_000);
    tasks = 1;
    await site.clock.advance(250);
    expect(idsOf(await waiting)).toEqual(['a']);
  });

  says(
    'what comes when the room is gone waits a second for whoever has some, then is given back',
    async (site) => {
      const bells = await site.open();
      const away = await site.open();
      let tasks = 1;
      const calledOff = new AbortController();
      const room = () => ({ tasks, bytes: 1_000 });
      const full = bells.receive([mail], want({ waitMs: 20_000, room, signal: calledOff.signal }));
      await until(site, () => site.front.calls.some(isLongPoll));
      tasks = 0;
      await away.ring([ring('a')]);
      await until(site, () => (bells.meter.read().receive?.calls ?? 0) === 1);
      expect(await away.receive([mail], want())).toEqual([]);
      await site.clock.advance(1_000);
      expect(idsOf(await away.receive([mail], want()))).toEqual(['a']);
      calledOff.abort();
      expect(await full).toEqual([]);
    },
  );

  says('what nobody had room for is given to the next who waits', async (site) => {
    const bells = await site.open();
    const away = await site.open();
    const calledOff = new AbortController();
    const left = bells.receive([mail], want({ waitMs: 20_000, signal: calledOff.signal }));
    await until(site, () => site.front.calls.some(isLongPoll));
    calledOff.abort();
    await left;
    await away.ring([ring('a')]);
    await until(site, () => (bells.meter.read().receive?.calls ?? 0) === 1);
    expect(idsOf(await bells.receive([mail], want({ waitMs: 20_000 })))).toEqual(['a']);
  });

  says('also what a look has no more room for', async (site) => {
    const bells = await site.open();
    let waitersRoom = 0;
    const waiting = bells.receive(
      [mail],
      want({ waitMs: 20_000, room: () => ({ tasks: waitersRoom, bytes: 1_000 }) }),
    );
    await bells.ring([ring('a')]);
    let asked = 0;
    const room = () => {
      if (asked++ === 0) return { tasks: 1, bytes: 1_000 };
      waitersRoom = 1;
      return { tasks: 0, bytes: 0 };
    };
    expect(await bells.receive([mail], want({ room }))).toEqual([]);
    expect(idsOf(await waiting)).toEqual(['a']);
  });

  says(
    'who waits hears higher priorities first, too',
    async (site) => {
      const bells = await site.open();
      const away = await site.open();
      await away.ring(['a', 'b', 'c'].map((id) => ring(id, { priority: 'low' })));
      await away.ring(['d', 'e', 'f'].map((id) => ring(id, { priority: 'high' })));
      const heard: string[] = [];
      for (let i = 0; i < 6; i++) {
        heard.push(...idsOf(await bells.receive([mail], want({ waitMs: 20_000, tasks: 1 }))));
      }
      expect(heard).toEqual(['d', 'e', 'f', 'a', 'b', 'c']);
    },
    priorities,
  );

  says(
    'nor does a lower one starve where all wait',
    async (site) => {
      const bells = await site.open();
      await bells.ring([ring('low', { priority: 'low' }), ...rings(20, { priority: 'high' })]);
      const heard: string[] = [];
      while (!heard.includes('low')) {
        heard.push(...idsOf(await bells.receive([mail], want({ waitMs: 20_000, tasks: 1 }))));
      }
      expect(heard).toHaveLength(16);
    },
    priorities,
  );

  says('closing gives back at once what nobody took', async (site) => {
    const bells = await site.open();
    const away = await site.open();
    const calledOff = new AbortController();
    const left = bells.receive([mail], want({ waitMs: 20_000, signal: calledOff.signal }));
    await until(site, () => site.front.calls.some(isLongPoll));
    calledOff.abort();
    await left;
    await away.ring([ring('a')]);
    await until(site, () => (bells.meter.read().receive?.calls ?? 0) === 1);
    await bells.close();
    expect(idsOf(await away.receive([mail], want()))).toEqual(['a']);
  });

  says('what a poll is just being told at the close is given back, not hidden for a lease', async (site) => {
    const away = await site.open();
    const { client, clock, prefix, enabled } = site;
    const bells = createSqsBells({ client, clock, prefix, prioritiesOf: () => enabled });
    const waiting = bells.receive([mail], want({ waitMs: 20_000 }));
    await until(site, () => site.front.calls.some(isLongPoll));
    const closed = bells.close();
    await away.ring([ring('a')]);
    await until(site, () => (bells.meter.read().receive?.calls ?? 0) === 1);
    await clock.advance(lastPollMs);
    await closed;
    expect(bells.meter.read().receive?.calls).toBe(1);
    expect(await waiting).toEqual([]);
    expect(idsOf(await away.receive([mail], want()))).toEqual(['a']);
  });

  says('a backlog is asked for with several calls at once', async (site) => {
    const bells = await site.open();
    await bells.ring(rings(60));
    site.front.forget();
    const listening = worker(site, bells, [mail], 100);
    await until(site, () => listening.heard.length === 60);
    expect(new Set(listening.heard).size).toBe(60);
    expect(bells.meter.read().receive?.calls).toBeLessThanOrEqual(8);
    expect(site.front.mostAtOnce('ReceiveMessage')).toBeGreaterThan(1);
  });

  says('a worker of several queues hears each', async (site) => {
    const bells = await site.open({}, [mail, other]);
    const away = await site.open({}, [mail, other]);
    const listening = worker(site, bells, [mail, other]);
    await away.ring([ring('a'), ring('b', { queue: other })]);
    await until(site, () => listening.heard.length === 2);
    expect(listening.heard.toSorted()).toEqual(['a', 'b']);
  });

  says(
    'a priority that is not enabled is heard on the nearest, and keeps its name',
    async (site) => {
      const bells = await site.open();
      await bells.ring([ring('a', { priority: 'low' }), ring('b', { priority: 'high' })]);
      const heard = await bells.receive([mail], want());
      expect(heard.map((bell) => [bell.ring.id, bell.ring.priority]).toSorted()).toEqual([
        ['a', 'low'],
        ['b', 'high'],
      ]);
      expect(await bells.silence(heard.map((bell) => bell.handle))).toEqual([true, true]);
    },
    ['normal'],
  );
}

function isLongPoll(call: { readonly action: string; readonly body: Record<string, unknown> }): boolean {
  return call.action === 'ReceiveMessage' && Number(call.body.WaitTimeSeconds) > 0;
}
