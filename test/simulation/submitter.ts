import { noOptions } from '../../src/core/codec/options.ts';
import { encodeSpec } from '../../src/core/codec/spec.ts';
import type { SubmitItem } from '../../src/core/messages.ts';
import type { Network } from './network.ts';

export const tenant = 'default';
export const queues = ['mail', 'bills'] as const;
const lanes = 8;
const priorities = ['high', 'normal', 'normal', 'normal', 'low'] as const;

export interface Wish {
  readonly queue: string;
  readonly item: SubmitItem;
  readonly atMs: number;
}

/** What will be submitted: half of it in lanes, some of it delayed, up to three attempts. */
export function wishes({ world }: Network): Wish[] {
  return Array.from({ length: world.between(60, 72) }, (_, i): Wish => {
    const lane = world.chance(0.6) ? world.between(0, lanes - 1) : undefined;
    const queue = queues[(lane ?? i) % queues.length] ?? 'mail';
    const delayed = world.chance(0.3);
    const payload = { contentType: '', encoding: '', keyId: '', bytes: new Uint8Array([i]), reference: '' };
    const orderingKey = lane === undefined ? undefined : `lane-${lane}`;
    return {
      queue,
      atMs: world.between(0, 45_000),
      item: {
        key: `key-${i}`,
        spec: encodeSpec({ type: 'job', typeVersion: 1, orderingKey, payload }),
        options: {
          ...noOptions,
          delayMs: delayed ? world.between(1, world.chance(0.3) ? 120_000 : 20_000) : undefined,
          priority: world.pick(priorities),
          retry: { maxAttempts: world.between(1, 3), baseMs: 1_000, maxMs: 8_000 },
          attemptTimeoutMs: world.chance(0.2) ? 40_000 : undefined,
          whenDead: world.chance(0.2) ? 'retry' : undefined,
        },
        traceparent: '',
      },
    };
  });
}

/** Sends one submission under one key until it is acknowledged; some give up, as a client that died does. */
export async function submitUntilAcknowledged(network: Network, { queue, item, atMs }: Wish): Promise<void> {
  const { world } = network;
  await world.clock.sleep(atMs);
  for (;;) {
    try {
      const [result] = await network.call((service) =>
        service.submit({ tenant, queue }, [item], { notAfterMs: undefined }),
      );
      if (result !== undefined && result.error === undefined) {
        world.shadow.acknowledged(item.key, result.id);
        if (!world.strikes('submitted again', 0.1)) return;
      }
    } catch (thrown) {
      if (thrown instanceof Error && 'invariant' in thrown) throw thrown;
    }
    if (world.strikes('submitter died', 0.05)) return;
    await world.clock.sleep(world.between(200, 4_000));
  }
}
