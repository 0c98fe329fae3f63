import { HoldfastError } from '../../../src/core/errors.ts';
import type { World } from '../world.ts';
import type { SimNode } from './node.ts';
import type { Serving } from './serving.ts';

/** What lies between clients and nodes: a balancer that sends each call and each stream to any node that is up. */
export class Network {
  readonly world: World;
  readonly nodes: readonly SimNode[];

  constructor(world: World, nodes: readonly SimNode[]) {
    this.world = world;
    this.nodes = nodes;
  }

  /** Undefined: all are down. */
  serving(): Serving | undefined {
    return this.world.pick(this.nodes.filter((node) => node.serving !== undefined))?.serving;
  }

  travel(): Promise<void> {
    return this.world.clock.sleep(this.world.latencyMs());
  }

  /** Calls back when this end notices that the other is gone: soon, as a rule, else by the connection's keep-alive. */
  noticed(soonMs: number, atLastMs: number, tell: () => void): void {
    const { world } = this;
    const late = world.strikes('noticed late', 0.2);
    world.clock.after(late ? world.between(soonMs, atLastMs) : world.between(1, soonMs), tell);
  }
}

/** By when the pings of a connection find that the other end is gone. */
export const pingedMs = { client: 30_000, node: 80_000 } as const;

export function unreachable(why: string): HoldfastError {
  return new HoldfastError('UNAVAILABLE', 'UNREACHABLE', `No node answers: ${why}.`, {
    help: 'It is tried again.',
  });
}

export function gaveUp(): HoldfastError {
  return new HoldfastError('CANCELLED', 'ABANDONED', 'The call was given up.', {
    help: 'Call again if it still matters.',
  });
}

export function timedOut(ms: number): HoldfastError {
  return new HoldfastError('DEADLINE_EXCEEDED', 'TIMED_OUT', `No answer came within ${ms} ms.`, {
    help: 'Send it again with the same key.',
  });
}
