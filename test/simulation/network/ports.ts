import { HoldfastError } from '../../../src/core/errors.ts';
import type { Engine } from '../../../src/ports/engine.ts';
import { checkedBroker } from '../checks/checked-broker.ts';
import type { World } from '../world.ts';
import type { NodeLife } from './node-life.ts';

/** The longest time in ms of a slow call to the store. */
export const slowestMs = 45_000;

function responseLost(): HoldfastError {
  return new HoldfastError('UNAVAILABLE', 'STORE_FAILED', 'The response of the store was lost.', {
    help: 'Send the request again.',
  });
}

function never(): Promise<never> {
  return new Promise(() => {});
}

/**
 * Returns the delay in ms of a slow call to the broker. A late `delete` takes effect after another worker has received
 * the same dispatch message, and a very late `delete` after the task has got a new dispatch message.
 */
function slowBrokerMs(world: World, point: string): number {
  const veryLate = point.startsWith('broker.delete') && world.chance(0.5);
  return veryLate ? world.between(60_000, 130_000) : world.between(2_000, 60_000);
}

function slownessMs(world: World, point: string): number {
  if (world.isCalm) return world.chance(0.1) ? world.between(1, 5) : 0;
  if (world.injectFault('slow store', 0.002)) return world.between(2_000, slowestMs);
  const slowBroker = point.startsWith('broker.delete') ? 0.08 : 0.01;
  if (point.startsWith('broker.') && world.injectFault('slow broker', slowBroker))
    return slowBrokerMs(world, point);
  if (world.chance(0.03)) return world.between(30, 1_500);
  return world.chance(0.4) ? world.between(1, 30) : 0;
}

/**
 * Delays a call of a node to its store, broker or registry, or crashes the node. Called before and after the effect of
 * each such call.
 */
async function delayOrCrash(world: World, life: NodeLife, point: string): Promise<void> {
  if (world.injectFault(`crash at ${point}`, 0.001)) life.crash();
  else {
    const ms = slownessMs(world, point);
    if (ms > 0) await world.clock.sleep(ms);
  }
}

async function call<T>(world: World, life: NodeLife, name: string, effect: () => Promise<T>): Promise<T> {
  world.tally.steps++;
  world.tally.addToHash(`${life.name} ${name}`);
  // Sweeps call `store.due` and `registry.get` all the time and mostly find nothing, so faults disturb only few of these
  // calls.
  const idle = name === 'store.due' || name === 'registry.get';
  if (!idle || world.chance(0.02)) await delayOrCrash(world, life, `${name}, before`);
  if (life.dead) await never();
  const result = await effect();
  if (!idle || world.chance(0.02)) await delayOrCrash(world, life, `${name}, after`);
  await life.awake();
  if (life.dead) await never();
  if (world.injectFault('lost store response', 0.004)) throw responseLost();
  return result;
}

type Method = (...args: never[]) => Promise<unknown>;

function wrapped<Port extends object>(world: World, life: NodeLife, name: string, port: Port): Port {
  const methods = { ...port } as Record<string, unknown>;
  for (const [method, run] of Object.entries(port)) {
    // The broker's `isIdle` is synchronous, so the simulation cannot delay it.
    if (typeof run !== 'function' || method === 'isIdle') continue;
    const point = `${name}.${method}`;
    methods[method] = (...args: never[]) => call(world, life, point, () => (run as Method)(...args));
  }
  return methods as Port;
}

/**
 * Wraps a store so that the invariants are checked after every commit, even if the response to the commit is lost later.
 */
function checkedStore(world: World, { store }: Engine): Engine['store'] {
  const checkAfter = async <T>(call: Promise<T>, check: (results: T) => void): Promise<T> => {
    const results = await call;
    try {
      check(results);
    } catch (violation) {
      world.fail(violation);
    }
    return results;
  };
  return {
    ...store,
    // In the simulation several nodes write to the store, even if its broker is transactional.
    can: { ...store.can, sharedWriters: true },
    accept: async (batch) => {
      const accepted = await checkAfter(store.accept(batch), (outcomes) =>
        world.shadow.recordAccepted(batch, outcomes),
      );
      await world.untilPlacesShow(
        accepted.map((one) => (one.kind === 'fresh' ? one.snapshot.laneSeq : undefined)),
      );
      return accepted;
    },
    append: async (batch) => {
      const written = await checkAfter(store.append(batch), (outcomes) => {
        for (const change of batch) world.tally.addToHash(`${world.clock.now()}${change.id}`);
        world.shadow.recordAppended(batch, outcomes);
      });
      await world.untilPlacesShow(written.map((one) => (one.kind === 'done' ? one.laneSeq : undefined)));
      return written;
    },
  };
}

/**
 * Wraps the store, broker and registry of a simulated node with faults. Each call may be slow, lose its response after
 * its effect, or crash the node.
 */
export function portsOf(world: World, life: NodeLife, engine: Engine): Engine {
  // Only an external broker can lose the dispatch message of a running task: the messages of a transactional broker
  // follow the commits.
  const broker = world.nature === 'external' ? checkedBroker(world, engine.broker) : engine.broker;
  return {
    store: wrapped(world, life, 'store', checkedStore(world, engine)),
    broker: wrapped(world, life, 'broker', broker),
    registry: wrapped(world, life, 'registry', engine.registry),
    close: () => engine.close(),
  };
}
