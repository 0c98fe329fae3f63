import type { Assignment } from '../../../src/core/messages.ts';
import { leaseExpiredMs, type ScenarioDriver, type TaskRequest } from './scenario-driver.ts';

/** One sequence of calls on tasks. Every request that `run` makes to DynamoDB or SQS is a crash point. */
export interface Scenario {
  readonly name: string;
  /** The steps before the scenario, whose requests are no crash points. Their result is passed to `run`. */
  readonly setUp: (driver: ScenarioDriver) => Promise<Assignment | undefined>;
  readonly run: (driver: ScenarioDriver, held: Assignment) => Promise<void>;
  /** The calls that callers repeat because they got no answer. */
  readonly again?: ((driver: ScenarioDriver) => Promise<void>) | undefined;
  /** The keys of all tasks, in the order in which their lane must start them. */
  readonly keys: readonly string[];
  /** The states, other than succeeded, in which the task of a key may end. */
  readonly ends?: Readonly<Record<string, readonly string[]>> | undefined;
  /** The number of tasks of each key. Default: 1. */
  readonly generations?: number | undefined;
  readonly lane?: string | undefined;
}

const lane = 'lane';
const inLane: TaskRequest = { lane };
const delayed: TaskRequest = { options: { delayMs: 5_000 } };
const nothing = async (): Promise<undefined> => undefined;

async function claimed(driver: ScenarioDriver): Promise<Assignment> {
  await driver.submit('a');
  return driver.claim('a');
}

async function twoInLane(driver: ScenarioDriver): Promise<undefined> {
  await driver.submit('a', inLane);
  await driver.submit('b', inLane);
}

const minuteMs = 60_000;
const shortWindow: TaskRequest = { options: { windowMs: minuteMs } };

export const scenarios: readonly Scenario[] = [
  {
    name: 'submit',
    setUp: nothing,
    run: (driver) => driver.submit('a'),
    again: (driver) => driver.submit('a'),
    keys: ['a'],
  },
  {
    name: 'submit delayed',
    setUp: nothing,
    run: (driver) => driver.submit('a', delayed),
    again: (driver) => driver.submit('a', delayed),
    keys: ['a'],
  },
  {
    name: 'submit in lane',
    setUp: async (driver) => void (await driver.submit('a', inLane)),
    run: (driver) => driver.submit('b', inLane),
    again: (driver) => driver.submit('b', inLane),
    keys: ['a', 'b'],
    lane,
  },
  {
    name: 'submit again after the window',
    async setUp(driver) {
      await driver.submit('a', shortWindow);
      await driver.settle(await driver.claim('a'));
      await driver.move(2 * minuteMs);
    },
    run: (driver) => driver.submit('a'),
    again: (driver) => driver.submit('a'),
    keys: ['a'],
    generations: 2,
  },
  {
    name: 'claim',
    setUp: async (driver) => void (await driver.submit('a')),
    run: async (driver) => void (await driver.claim('a')),
    keys: ['a'],
  },
  {
    name: 'claim after an expired lease',
    async setUp(driver) {
      const held = await claimed(driver);
      await driver.move(leaseExpiredMs);
      return held;
    },
    run: async (driver) => void (await driver.claim('a')),
    keys: ['a'],
  },
  { name: 'settle', setUp: claimed, run: (driver, held) => driver.settle(held), keys: ['a'] },
  {
    name: 'settle with a large result',
    setUp: claimed,
    run: (driver, held) => driver.settle(held, 'succeeded', 5_000),
    keys: ['a'],
  },
  {
    name: 'die',
    setUp: claimed,
    run: (driver, held) => driver.settle(held, 'fatal'),
    keys: ['a'],
    ends: { a: ['dead'] },
  },
  {
    name: 'retry',
    setUp: claimed,
    async run(driver, held) {
      await driver.settle(held, 'failed');
      await driver.move(2_000);
      await driver.sweep();
      await driver.settle(await driver.claim('a'));
    },
    keys: ['a'],
  },
  {
    name: 'hand-over',
    async setUp(driver) {
      await twoInLane(driver);
      return driver.claim('a');
    },
    async run(driver, held) {
      await driver.settle(held);
      await driver.settle(await driver.claim('b'));
    },
    keys: ['a', 'b'],
    lane,
  },
  {
    name: 'sweep',
    async setUp(driver) {
      await driver.submit('a', delayed);
      await driver.move(6_000);
    },
    run: (driver) => driver.sweep(),
    keys: ['a'],
  },
  {
    name: 'redrive',
    setUp: async (driver) => void (await driver.settle(await claimed(driver), 'fatal')),
    run: (driver) => driver.redrive('a'),
    again: (driver) => redriveDead(driver, 'a'),
    keys: ['a'],
  },
  {
    name: 'redrive to the lane',
    async setUp(driver) {
      await twoInLane(driver);
      await driver.settle(await driver.claim('a'), 'fatal');
    },
    run: (driver) => driver.redrive('a'),
    again: (driver) => redriveDead(driver, 'a'),
    keys: ['a', 'b'],
    lane,
  },
  {
    name: 'cancel waiting',
    setUp: async (driver) => void (await driver.submit('a')),
    run: (driver) => driver.cancel('a'),
    keys: ['a'],
    ends: { a: ['cancelled'] },
  },
  {
    name: 'cancel the lowest of its lane',
    setUp: twoInLane,
    run: (driver) => driver.cancel('a'),
    keys: ['a', 'b'],
    ends: { a: ['cancelled'] },
    lane,
  },
  {
    name: 'cancel running',
    setUp: claimed,
    async run(driver, held) {
      await driver.cancelRequest('a');
      await driver.settle(held, 'cancelled');
    },
    keys: ['a'],
    ends: { a: ['cancelled'] },
  },
];

/** Redrives a task as a caller would who got no answer: reads it, and redrives it if it is still dead. */
async function redriveDead(driver: ScenarioDriver, key: string): Promise<void> {
  const { snapshot } = await driver.service.get('default', driver.id(key), false);
  if (snapshot.head.state === 'dead') await driver.redrive(key);
}
