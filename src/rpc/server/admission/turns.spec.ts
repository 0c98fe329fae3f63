import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type VirtualClock, virtualClock } from '../../../testing/virtual-clock.ts';
import { Turns, type Work } from './turns.ts';

const stored = (units: number): Work => ({ units, room: 'storing', held: units });
const reading = (units: number): Work => ({ units, room: undefined, held: 0 });
/** The read of one task, and a list, whose reads take as long as the table does. */
const taskRead: Work = { units: 64, room: 'reading', held: 1 };
const list: Work = { units: 1_024, room: 'reading', held: 4 };

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

  it('that read begin four in a turn, so that turns stay short, beside as many others as before', async () => {
    const calls = new Calls();
    for (let i = 0; i < 10; i++) void calls.run(`a/${i}`, taskRead);
    for (let i = 0; i < 10; i++) void calls.run(`b/${i}`, reading(100));
    expect([calls.countOf('a'), calls.countOf('b')]).toEqual([4, 10]);
    await calls.turn();
    expect(calls.countOf('a')).toBe(10);
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

describe('reads in progress', () => {
  it('of an identity with few reads begin in the next turn, although another one has thousands', async () => {
    const calls = new Calls();
    for (let i = 0; i < 4_000; i++) void calls.run(`a/${i}`, taskRead);
    for (let i = 0; i < 10; i++) await calls.turn();
    expect(calls.countOf('a')).toBe(72);
    void calls.run('b/0', taskRead);
    await calls.turn();
    expect(calls.countOf('b')).toBe(1);
  });

  it('are bounded for all identities together, and each that ends lets the next one begin', async () => {
    const calls = new Calls();
    for (const identity of 'abcdefghijklmnopqrst')
      for (let i = 0; i < 100; i++) void calls.run(`${identity}/${i}`, taskRead);
    for (let i = 0; i < 60; i++) await calls.turn();
    expect(calls.begun).toHaveLength(96);
    for (const name of calls.begun.slice(0, 10)) calls.end(name);
    await calls.turn();
    expect(calls.begun).toHaveLength(106);
  });

  it('of one identity alone wait for one another, and all begin in the end', async () => {
    const calls = new Calls();
    for (let i = 0; i < 500; i++) void calls.run(`a/${i}`, i % 5 === 0 ? list : taskRead);
    for (let i = 0; i < 500; i++) {
      await calls.turn();
      expect(calls.begun.length).toBeGreaterThan(i);
      calls.end(calls.begun[i] as string);
    }
    expect(calls.begun).toHaveLength(500);
  });

  it('keep neither submissions nor other calls waiting', async () => {
    const calls = new Calls();
    for (let i = 0; i < 4_000; i++) void calls.run(`a/${i}`, taskRead);
    await calls.turn();
    void calls.run('a/submission', stored(1));
    void calls.run('a/claim', reading(32));
    await calls.turn();
    expect(calls.begun).toEqual(expect.arrayContaining(['a/submission', 'a/claim']));
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

/** The most units of a batch: 1 MiB in units of 2 KiB, and one unit more for each of its 100 tasks. */
const mostBatch = 612;
const batch = fc.integer({ min: 1, max: mostBatch });

describe('a waiting call', () => {
  it('that is a submission begins after a bounded number of commits, whatever batches others submit without a pause', async () => {
    const floods = fc.array(fc.array(batch, { minLength: 1, maxLength: 6 }), { minLength: 1, maxLength: 4 });
    const commits = fc.integer({ min: 1_024, max: 4_096 });
    await fc.assert(
      fc.asyncProperty(floods, batch, commits, async (sizes, size, commitUnits) => {
        const calls = new Calls();
        const store: { readonly units: number; end(): void }[] = [];
        let storedUnits = 0;
        let mostStored = 0;
        let isOver = false;
        const submit = (name: string, units: number): Promise<void> =>
          calls.turns.run({ identity: { name }, signal: new AbortController().signal }, stored(units), () => {
            storedUnits += units;
            mostStored = Math.max(mostStored, storedUnits);
            calls.begun.push(`${name}/`);
            return new Promise((resolve) => store.push({ units, end: resolve }));
          });
        const flood = async (name: string, own: readonly number[]): Promise<void> => {
          for (let i = 0; !isOver; i++) await submit(name, own[i % own.length] as number);
        };
        const commit = (): void => {
          for (let units = 0; store[0] !== undefined && units + store[0].units <= commitUnits; ) {
            const [first = expect.fail('nothing is stored')] = store.splice(0, 1);
            units += first.units;
            storedUnits -= first.units;
            first.end();
          }
        };
        for (const [i, own] of sizes.entries()) for (let n = 0; n < 100; n++) void flood(`flood${i}`, own);
        for (let i = 0; i < 10; i++) {
          await calls.turn();
          commit();
        }
        void submit('late', size);
        let count = 0;
        for (; calls.countOf('late') === 0 && count < 200; count++) {
          await calls.turn();
          commit();
        }
        isOver = true;
        expect(count).toBeLessThanOrEqual(64);
        expect(mostStored).toBeLessThanOrEqual(5_120);
      }),
      { numRuns: 30 },
    );
  });

  it('that is large begins although small ones of others fill every turn of the event loop', async () => {
    const calls = new Calls();
    for (let i = 0; i < 400; i++) void calls.run(`a/${i}`, reading(256));
    void calls.run('b/0', reading(4_096));
    let turns = 0;
    for (; calls.countOf('b') === 0 && turns < 100; turns++)
      await new Promise<void>((resolve) => calls.clock.soon(resolve));
    expect(calls.countOf('a')).toBeLessThan(100);
  });

  it('that is a submission begins although other calls fill every turn of the event loop', async () => {
    const calls = new Calls();
    for (let i = 0; i < 100; i++) void calls.run(`a/${i}`, reading(4_096));
    void calls.run('b/0', stored(mostBatch));
    for (let i = 0; i < 4; i++) await new Promise<void>((resolve) => calls.clock.soon(resolve));
    expect(calls.countOf('b')).toBe(1);
  });

  it('whose caller goes away leaves the room for which it waited to the next one', async () => {
    const calls = new Calls();
    void calls.run('a/0', stored(4_000));
    const gone = new AbortController();
    const left = calls.run('b/0', stored(600), gone.signal);
    await calls.turn();
    void calls.run('a/1', stored(90));
    await calls.turn();
    expect(calls.begun).toEqual(['a/0']);
    gone.abort();
    await expect(left).rejects.toMatchObject({ code: 'CANCELLED' });
    await calls.turn();
    expect(calls.begun).toEqual(['a/0', 'a/1']);
  });
});
