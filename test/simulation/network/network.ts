import { HoldfastError } from '../../../src/core/errors.ts';
import type { World } from '../world.ts';
import type { SimNode } from './node.ts';
import type { ServingNode } from './node-life.ts';

/**
 * The simulated network between clients and nodes. A load balancer sends each call and each stream to a random node that
 * is up.
 */
export class Network {
  readonly world: World;
  readonly nodes: readonly SimNode[];

  constructor(world: World, nodes: readonly SimNode[]) {
    this.world = world;
    this.nodes = nodes;
  }

  /** Returns a random node that is up, or undefined if all nodes are down. */
  pickServing(): ServingNode | undefined {
    return this.world.pick(this.nodes.filter((node) => node.serving !== undefined))?.serving;
  }

  travel(): Promise<void> {
    return this.world.clock.sleep(this.world.latencyMs());
  }

  /**
   * Calls `notify` when one end of a connection notices that the other end is gone: mostly within `soonMs`, else at the
   * latest after `atLastMs`, when the connection's keep-alive fails.
   */
  notifyLater(soonMs: number, atLastMs: number, notify: () => void): void {
    const { world } = this;
    const late = world.injectFault('noticed late', 0.2);
    world.clock.after(late ? world.between(soonMs, atLastMs) : world.between(1, soonMs), notify);
  }
}

/** The longest time, in ms, after which the keep-alive pings of a connection detect that the other end is gone. */
export const keepAliveMs = { client: 30_000, node: 80_000 } as const;

export function unreachable(why: string): HoldfastError {
  return new HoldfastError('UNAVAILABLE', 'UNREACHABLE', `No node answers: ${why}.`, {
    help: 'The call is tried again.',
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
