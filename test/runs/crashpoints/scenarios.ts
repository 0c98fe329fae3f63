import type { Assignment } from '../../../src/core/messages.ts';
import { type Asked, leaseExpiredMs, type Stage } from './stage.ts';

/** Something that happens to tasks, of which every request is a crash point. */
export interface Scenario {
  readonly name: string;
  /** What stands before: its requests are no points. What it answers is given to `play`. */
  readonly scene: (stage: Stage) => Promise<Assignment | undefined>;
  readonly play: (stage: Stage, held: Assignment) => Promise<void>;
  /** What callers send again who were not answered. */
  readonly again?: ((stage: Stage) => Promise<void>) | undefined;
  /** Keys of all tasks, in the order in which their lane must start them. */
  readonly keys: readonly string[];
  /** How a task may end beside by success; by key. */
  readonly ends?: Readonly<Record<string, readonly string[]>> | undefined;
  /** Of how many acceptances a key is, where it is not one. */
  readonly generations?: number | undefined;
  readonly lane?: string | undefined;
}

const lane = 'lane';
const inLane: Asked = { lane };
const delayed: Asked = { options: { delayMs: 5_000 } };
const nothing = async (): Promise<undefined> => undefined;

async function claimed(stage: Stage): Promise<Assignment> {
  await stage.submit('a');
  return stage.claim('a');
}

async function twoInLane(stage: Stage): Promise<undefined> {
  await stage.submit('a', inLane);
  await stage.submit('b', inLane);
}

const minuteMs = 60_000;
const shortWindow: Asked = { options: { windowMs: minuteMs } };

export const scenarios: readonly Scenario[] = [
  {
    name: 'submit',
    scene: nothing,
    play: (stage) => stage.submit('a'),
    again: (stage) => stage.submit('a'),
    keys: ['a'],
  },
  {
    name: 'submit delayed',
    scene: nothing,
    play: (stage) => stage.submit('a', delayed),
    again: (stage) => stage.submit('a', delayed),
    keys: ['a'],
  },
  {
    name: 'submit in lane',
    scene: async (stage) => void (await stage.submit('a', inLane)),
    play: (stage) => stage.submit('b', inLane),
    again: (stage) => stage.submit('b', inLane),
    keys: ['a', 'b'],
    lane,
  },
  {
    name: 'submit anew',
    async scene(stage) {
      await stage.submit('a', shortWindow);
      await stage.settle(await stage.claim('a'));
      await stage.move(2 * minuteMs);
    },
    play: (stage) => stage.submit('a'),
    again: (stage) => stage.submit('a'),
    keys: ['a'],
    generations: 2,
  },
  {
    name: 'claim',
    scene: async (stage) => void (await stage.submit('a')),
    play: async (stage) => void (await stage.claim('a')),
    keys: ['a'],
  },
  {
    name: 'claim a spent lease',
    async scene(stage) {
      const held = await claimed(stage);
      await stage.move(leaseExpiredMs);
      return held;
    },
    play: async (stage) => void (await stage.claim('a')),
    keys: ['a'],
  },
  { name: 'settle', scene: claimed, play: (stage, held) => stage.settle(held), keys: ['a'] },
  {
    name: 'settle with a large result',
    scene: claimed,
    play: (stage, held) => stage.settle(held, 'succeeded', 5_000),
    keys: ['a'],
  },
  {
    name: 'die',
    scene: claimed,
    play: (stage, held) => stage.settle(held, 'fatal'),
    keys: ['a'],
    ends: { a: ['dead'] },
  },
  {
    name: 'retry',
    scene: claimed,
    async play(stage, held) {
      await stage.settle(held, 'failed');
      await stage.move(2_000);
      await stage.sweep();
      await stage.settle(await stage.claim('a'));
    },
    keys: ['a'],
  },
  {
    name: 'hand-over',
    async scene(stage) {
      await twoInLane(stage);
      return stage.claim('a');
    },
    async play(stage, held) {
      await stage.settle(held);
      await stage.settle(await stage.claim('b'));
    },
    keys: ['a', 'b'],
    lane,
  },
  {
    name: 'sweep',
    async scene(stage) {
      await stage.submit('a', delayed);
      await stage.move(6_000);
    },
    play: (stage) => stage.sweep(),
    keys: ['a'],
  },
  {
    name: 'redrive',
    scene: async (stage) => void (await stage.settle(await claimed(stage), 'fatal')),
    play: (stage) => stage.redrive('a'),
    again: (stage) => redriveDead(stage, 'a'),
    keys: ['a'],
  },
  {
    name: 'redrive to the lane',
    async scene(stage) {
      await twoInLane(stage);
      await stage.settle(await stage.claim('a'), 'fatal');
    },
    play: (stage) => stage.redrive('a'),
    again: (stage) => redriveDead(stage, 'a'),
    keys: ['a', 'b'],
    lane,
  },
  {
    name: 'cancel waiting',
    scene: async (stage) => void (await stage.submit('a')),
    play: (stage) => stage.cancel('a'),
    keys: ['a'],
    ends: { a: ['cancelled'] },
  },
  {
    name: 'cancel the lowest of its lane',
    scene: twoInLane,
    play: (stage) => stage.cancel('a'),
    keys: ['a', 'b'],
    ends: { a: ['cancelled'] },
    lane,
  },
  {
    name: 'cancel running',
    scene: claimed,
    async play(stage, held) {
      await stage.cancelRequest('a');
      await stage.settle(held, 'cancelled');
    },
    keys: ['a'],
    ends: { a: ['cancelled'] },
  },
];

/** The caller asks after the task and redrives it where it is still dead. */
async function redriveDead(stage: Stage, key: string): Promise<void> {
  const { snapshot } = await stage.service.get('default', stage.id(key), false);
  if (snapshot.head.state === 'dead') await stage.redrive(key);
}
