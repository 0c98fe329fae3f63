import { describe, expect, it } from 'vitest';
import type { Faults } from '../engines/memory/index.ts';
import type { Ring, Want } from '../ports/broker.ts';
import { externalMemory } from './external-broker.ts';
import { virtualClock } from './virtual-clock.ts';

const queue = { tenant: 'acme', queue: 'mail' };
const minuteMs = 60_000;
const want: Want = {
  types: [],
  room: () => ({ tasks: 100, bytes: 1_000 }),
  waitMs: 0,
  signal: new AbortController().signal,
};

function ringOf(id: string, version = 1, reason: Ring['reason'] = 'submit'): Ring {
  return { id, queue, priority: 'normal', type: 'send', typeVersion: 1, version, reason };
}

function given(faults?: Faults) {
  const clock = virtualClock();
  const { bells, hasBell } = externalMemory({ clock, faults });
  const hear = () => bells.receive([queue], want);
  const hearIds = async () => (await hear()).map((bell) => bell.ring.id);
  return { clock, bells, hear, hearIds, hasBell };
}

describe('bells apart from the store', () => {
  it('swallow the repeat of a ring for five minutes, though its bell was silenced', async () => {
    const { clock, bells, hear, hearIds } = given();
    await bells.ring([ringOf('a')]);
    const [bell] = await hear();
    await bells.silence([bell?.handle ?? '']);
    await clock.advance(5 * minuteMs - 1);
    await bells.ring([ringOf('a')]);
    expect(await hearIds()).toEqual([]);
    await clock.advance(1);
    await bells.ring([ringOf('a')]);
    expect(await hearIds()).toEqual(['a']);
  });

  it('are known of by who asks the engine itself, hidden or not, until they are silenced', async () => {
    const { bells, hear, hasBell } = given();
    expect(hasBell('a')).toBe(false);
    await bells.ring([ringOf('a'), ringOf('a', 2)]);
    const [one, other] = await hear();
    expect(hasBell('a')).toBe(true);
    await bells.silence([one?.handle ?? '']);
    expect(hasBell('a')).toBe(true);
    await bells.silence([other?.handle ?? '']);
    expect(hasBell('a')).toBe(false);
  });

  it('do not swallow a ring of another version or for another reason', async () => {
    const { bells, hearIds } = given();
    await bells.ring([ringOf('a'), ringOf('a', 2), ringOf('a', 1, 'due'), ringOf('a')]);
    expect(await hearIds()).toEqual(['a', 'a', 'a']);
  });

  it('swallow a ring anew only within fifteen seconds', async () => {
    const { clock, bells, hearIds } = given();
    await bells.ring([ringOf('a', 1, 'again'), ringOf('a', 1, 'again')]);
    await clock.advance(15_000);
    await bells.ring([ringOf('a', 1, 'again')]);
    expect(await hearIds()).toEqual(['a', 'a']);
  });

  it('give no bell of a task while another of it is held', async () => {
    const { bells, hear, hearIds } = given();
    await bells.ring([ringOf('a')]);
    const [held] = await hear();
    await bells.ring([ringOf('a', 2), ringOf('b')]);
    expect(await hearIds()).toEqual(['b']);
    await bells.silence([held?.handle ?? '']);
    expect(await hearIds()).toEqual(['a']);
  });

  it('give at most ten at once', async () => {
    const { bells, hear } = given();
    await bells.ring(Array.from({ length: 12 }, (_, i) => ringOf(`t${i}`)));
    expect(await hear()).toHaveLength(10);
    expect(await hear()).toHaveLength(2);
  });

  it('are gone after fourteen days', async () => {
    const { clock, bells, hearIds } = given();
    await bells.ring([ringOf('a')]);
    await clock.advance(14 * 24 * 60 * minuteMs);
    expect(await hearIds()).toEqual([]);
  });

  it('cannot be hidden for more than twelve hours after their receipt', async () => {
    const { clock, bells, hear, hearIds } = given();
    await bells.ring([ringOf('a')]);
    const [bell] = await hear();
    await bells.hide([{ handle: bell?.handle ?? '', ms: 11 * 60 * minuteMs }]);
    await clock.advance(10 * 60 * minuteMs);
    await bells.hide([{ handle: bell?.handle ?? '', ms: 11 * 60 * minuteMs }]);
    await clock.advance(2 * 60 * minuteMs - 1);
    expect(await hearIds()).toEqual([]);
    await clock.advance(1);
    expect(await hearIds()).toEqual(['a']);
  });
});

describe('faults of bells', () => {
  it('lose, double, delay or refuse a ring', async () => {
    const fates: Record<string, 'lost' | 'doubled' | 'failed' | 'rung'> = {
      lost: 'lost',
      doubled: 'doubled',
      failed: 'failed',
    };
    const { clock, bells, hearIds } = given({
      ring: ({ id }) => fates[id] ?? 'rung',
      ringDelayMs: ({ id }) => (id === 'late' ? 4_000 : 0),
    });
    const rung = await bells.ring(['lost', 'doubled', 'failed', 'late'].map((id) => ringOf(id)));
    expect(rung.map((one) => (one === true ? true : one.code))).toEqual([true, true, 'UNAVAILABLE', true]);
    expect(await hearIds()).toEqual(['doubled', 'doubled']);
    await clock.advance(4_000);
    expect(await hearIds()).toEqual(['late']);
  });

  it('make a handle stale early, or count though it is stale', async () => {
    let verdict: boolean | undefined = false;
    const { clock, bells, hear, hearIds } = given({ handle: (current) => verdict ?? current });
    await bells.ring([ringOf('a')]);
    const [first] = await hear();
    const handle = first?.handle ?? '';
    expect(await bells.silence([handle])).toEqual([false]);
    await clock.advance(32_000);
    expect(await hearIds()).toEqual(['a']);
    verdict = true;
    expect(await bells.silence([handle])).toEqual([true]);
    await clock.advance(32_000);
    expect(await hearIds()).toEqual([]);
  });
});
