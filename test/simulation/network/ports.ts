import { HoldfastError } from '../../../src/core/errors.ts';
import type { Engine } from '../../../src/ports/engine.ts';
import { watchedBroker } from '../checks/delivery-watch.ts';
import type { World } from '../world.ts';
import type { Life } from './serving.ts';

function noAnswer(): HoldfastError {
  return new HoldfastError('UNAVAILABLE', 'STORE_FAILED', 'The answer of the store was lost.', {
    help: 'Send the request again.',
  });
}

function never(): Promise<never> {
  return new Promise(() => {});
}

/** A silence that comes late finds a bell that others hold by now, a very late one another bell of the same task. */
function slowBrokerMs(world: World, point: string): number {
  const veryLate = point.startsWith('broker.delete') && world.chance(0.5);
  return veryLate ? world.between(60_000, 130_000) : world.between(2_000, 60_000);
}

function slownessMs(world: World, point: string): number {
  if (!world.faulty) return world.chance(0.1) ? world.between(1, 5) : 0;
  if (world.strikes('slow store', 0.002)) return world.between(2_000, 45_000);
  const slowBroker = point.startsWith('broker.delete') ? 0.08 : 0.01;
  if (point.startsWith('broker.') && world.strikes('slow broker', slowBroker))
    return slowBrokerMs(world, point);
  if (world.chance(0.03)) return world.between(30, 1_500);
  return world.chance(0.4) ? world.between(1, 30) : 0;
}

/** Where a call waits, and where its node may die: before the effect and after it. */
async function gate(world: World, life: Life, point: string): Promise<void> {
  if (world.strikes(`crash at ${point}`, 0.001)) life.crash();
  else {
    const ms = slownessMs(world, point);
    if (ms > 0) await world.clock.sleep(ms);
  }
  if (life.dead) await never();
}

async function call<T>(world: World, life: Life, name: string, effect: () => Promise<T>): Promise<T> {
  world.tally.steps++;
  world.tally.note(`${life.name} ${name}`);
  // Sweeps ask all the time; only what they find is interesting.
  const idle = name === 'store.due' || name === 'registry.get';
  if (!idle || world.chance(0.02)) await gate(world, life, `${name}, before`);
  if (life.dead) await never();
  const answer = await effect();
  if (!idle || world.chance(0.02)) await gate(world, life, `${name}, after`);
  if (life.dead) await never();
  if (world.strikes('lost answer', 0.004)) throw noAnswer();
  return answer;
}

type Method = (...args: never[]) => Promise<unknown>;

function wrapped<Port extends object>(world: World, life: Life, name: string, port: Port): Port {
  const methods = { ...port } as Record<string, unknown>;
  for (const [method, run] of Object.entries(port)) {
    // What answers at once is no step.
    if (typeof run !== 'function' || method === 'isIdle') continue;
    const point = `${name}.${method}`;
    methods[method] = (...args: never[]) => call(world, life, point, () => (run as Method)(...args));
  }
  return methods as Port;
}

/** The store as the invariants watch it: every commit is judged, whatever becomes of its answer. */
function watched(world: World, { store }: Engine): Engine['store'] {
  const judge = async <T>(answers: Promise<T>, look: (answers: T) => void): Promise<T> => {
    const known = await answers;
    try {
      look(known);
    } catch (broken) {
      world.fail(broken);
    }
    return known;
  };
  return {
    ...store,
    // Whatever the nature, several nodes write here.
    can: { ...store.can, sharedWriters: true },
    accept: (batch) => judge(store.accept(batch), (answers) => world.shadow.accepted(batch, answers)),
    append: (batch) =>
      judge(store.append(batch), (outcomes) => {
        for (const change of batch) world.tally.note(`${world.clock.now()}${change.id}`);
        world.shadow.appended(batch, outcomes);
      }),
  };
}

/** A node's way to its engine: every call may be slow, fail after its effect, or be its node's last. */
export function portsOf(world: World, life: Life, engine: Engine): Engine {
  // Where bells follow the commit, their handles do too.
  const broker = world.nature === 'external' ? watchedBroker(world, engine.broker) : engine.broker;
  return {
    store: wrapped(world, life, 'store', watched(world, engine)),
    broker: wrapped(world, life, 'bells', broker),
    registry: wrapped(world, life, 'registry', engine.registry),
    close: () => engine.close(),
  };
}
