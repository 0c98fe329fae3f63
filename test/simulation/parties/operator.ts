import type { Client } from '../../../src/client/client.ts';
import { HoldfastError } from '../../../src/core/errors.ts';
import { AdminService, OnDead } from '../../../src/rpc/gen/holdfast/v1/admin_service_pb.ts';
import type { Network } from '../network/network.ts';
import { mustPass } from '../network/refusals.ts';
import { SimTransport } from '../network/transport.ts';
import { queues } from './job.ts';
import { clientOf, processOf } from './parties.ts';

const timeoutMs = 10_000;
/** The task was no longer what it had been. */
const tooLate = new Set(['TASK_ENDED', 'NOT_DEAD', 'EXPIRES_SOON', 'HAND_OVER_PENDING', 'CONFLICT']);

/** Somebody who cancels, retries and skips tasks, and changes what becomes of the lanes of the dead. */
export async function operator(network: Network): Promise<void> {
  const { world } = network;
  const process = processOf(network, 'operator');
  const client = clientOf(network, process);
  const transport = new SimTransport(network, process);
  for (;;) {
    await process.clock.sleep(world.between(1_000, 5_000));
    if (world.happens('onDead changed', 0.15)) await setOnDead();
    const seen = world.pick([...world.shadow.tasks.values()]);
    if (seen === undefined) continue;
    const { state } = seen.folded;
    if (world.faulty && state !== 'dead' && world.chance(0.3))
      await refusable(client.task(seen.id).cancel('no more'));
    if (world.faulty && state === 'dead' && world.chance(0.7)) await refusable(client.task(seen.id).retry());
    await freeHeldLanes(client);
  }

  /** While dead tasks hold their lanes nothing goes on there until somebody does something about it. */
  async function freeHeldLanes(by: Client): Promise<void> {
    const holders = [...world.shadow.tasks.values()].filter(({ folded }) => folded.holdsLane);
    for (const { id } of holders) {
      if (world.faulty && world.chance(0.6)) continue;
      const task = by.task(id);
      await refusable(world.chance(0.5) ? task.retry() : task.cancel('skipped'));
    }
  }

  async function setOnDead(): Promise<void> {
    const onDead = world.chance(0.6) ? OnDead.HOLD : OnDead.RELEASE;
    const name = world.pick(queues) ?? 'mail';
    await refusable(transport.call(AdminService.method.updateQueue, { name, onDead }, { timeoutMs }));
  }
}

async function refusable(asked: Promise<unknown>): Promise<void> {
  await asked.catch((thrown: unknown) => {
    if (!(thrown instanceof HoldfastError && tooLate.has(thrown.reason))) mustPass(thrown, 'an operator');
  });
}
