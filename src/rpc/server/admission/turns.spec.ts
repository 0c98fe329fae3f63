import { describe, expect, it } from 'vitest';
import { type VirtualClock, virtualClock } from '../../../testing/virtual-clock.ts';
import { Turns, type Work } from './turns.ts';

const stored = (units: number): Work => ({ units, isStored: true });
const reading = (units: number): Work => ({ units, isStored: false });

/** Runs calls whose names are recorded when they begin; each ends when `end` is called with its name. */
class Calls {
  readonly clock: VirtualClock = virtualClock();
  readonly turns = new Turns(this.clock);
  readonly begun: string[] = [];
  readonly #ends = new Map<string, () => void>();

  run(name: string, work: Work, signal = new AbortController().signal): Promise<void> {
    const identity = { name: name.split('/')[0] as string };
    return this.turns.run({ identity, signal }, work, () => {
      this.begun.push(name);
      return new Promise((resolve) => this.#ends.set(name, resolve));
    });
  }

  end(name: string): void {
    this.#ends.get(name)?.();
  }

  /** Lets one turn of the event loop and the promises that it settles pass. */
  async turn(): Promise<void> {
    await this.clock.settle();
  }

  countOf(identity: string): number {
    return this.begun.filter((name) => name.startsWith(`${identity}/`)).length;
  }
}

describe('calls of one identity', () => {
  it('begin at once while a turn has room, and then in later turns', async () => {
    const calls = new Calls();
    for (let i = 0; i < 10; i++) void calls.run(`a/${i}`, reading(1_000));
    expect(calls.begun).toHaveLength(5);
    await calls.turn();
    expect(calls.begun).toEqual(Array.from({ length: 10 }, (_, i) => `a/${i}`));
    expect(calls.turns.waiting).toBe(0);
  });

  it('begin although each is larger than a turn', async () => {
    const calls = new Calls();
    void calls.run('a/0', reading(10_000));
    void calls.run('a/1', reading(10_000));
    expect(calls.countOf('a')).toBe(1);
    await calls.turn();
    expect(calls.countOf('a')).toBe(2);
  });
});

describe('submissions', () => {
  it('begin only while fewer tasks than a commit holds wait for the store', async () => {
    const calls = new Calls();
    for (let i = 0; i < 50; i++) void calls.run(`a/${i}`, stored(100));
    await calls.turn();
    await calls.turn();
    expect(calls.begun).toHaveLength(40);
    calls.end('a/0');
    await calls.turn();
    expect(calls.begun).toHaveLength(41);
  });

  it('of an identity with few begin in the next turn, although those of another fill the store', async () => {
    const calls = new Calls();
    for (let i = 0; i < 1_000; i++) void calls.run(`a/${i}`, stored(100));
    void calls.run('b/0', stored(100));
    expect(calls.countOf('b')).toBe(0);
    await calls.turn();
    expect(calls.countOf('b')).toBe(1);
    expect(calls.countOf('a')).toBe(40);
  });

  it('of an identity leave its reserve to others once it has many', async () => {
    const calls = new Calls();
    for (let i = 0; i < 60; i++) void calls.run(`a/${i}`, stored(100));
    for (let i = 0; i < 60; i++) void calls.run(`b/${i}`, stored(100));
    await calls.turn();
    expect([calls.countOf('a'), calls.countOf('b')]).toEqual([40, 2]);
  });

  it('of identities that all have many begin by turns, whatever the size of their batches', async () => {
    const calls = new Calls();
    void calls.run('first/0', stored(4_096));
    for (let i = 0; i < 200; i++) {
      void calls.run(`large/${i}`, stored(100));
      for (let j = 0; j < 10; j++) void calls.run(`small/${i * 10 + j}`, stored(10));
    }
    calls.end('first/0');
    await calls.turn();
    const [large, small] = [100 * calls.countOf('large'), 10 * calls.countOf('small')];
    expect(large + small).toBeGreaterThan(3_900);
    expect(Math.abs(large - small)).toBeLessThan(400);
  });

  it('that fail count no more as waiting for the store', async () => {
    const calls = new Calls();
    const run = (): Promise<void> => Promise.reject(new Error('refused'));
    const context = { identity: { name: 'a' }, signal: new AbortController().signal };
    await expect(calls.turns.run(context, stored(4_096), run)).rejects.toThrow('refused');
    await calls.turn();
    void calls.run('b/0', stored(4_096));
    expect(calls.countOf('b')).toBe(1);
  });
});

it('a reading call begins while the store has all submissions that it may have', async () => {
  const calls = new Calls();
  void calls.run('a/0', stored(4_096));
  void calls.run('a/1', stored(1));
  await calls.turn();
  void calls.run('b/0', reading(1));
  await calls.turn();
  expect(calls.begun).toEqual(['a/0', 'b/0']);
});

it('a call whose caller goes away while it waits does not begin', async () => {
  const calls = new Calls();
  void calls.run('a/0', stored(4_096));
  const gone = new AbortController();
  const left = calls.run('a/1', stored(4_096), gone.signal);
  void calls.run('a/2', stored(4_096));
  gone.abort();
  await expect(left).rejects.toMatchObject({ code: 'CANCELLED' });
  expect(calls.turns.waiting).toBe(1);
  calls.end('a/0');
  await calls.turn();
  expect(calls.begun).toEqual(['a/0', 'a/2']);
});
