import type { Client } from '../../../src/client/client.ts';
import { HoldfastError } from '../../../src/core/errors.ts';
import { isEnded } from '../../../src/core/task/head.ts';
import { AdminService, OnDead } from '../../../src/rpc/gen/holdfast/v1/admin_service_pb.ts';
import type { Network } from '../network/network.ts';
import { rethrowUnlessTransient } from '../network/transient.ts';
import { SimTransport } from '../network/transport.ts';
import { queues } from './job.ts';
import { clientOf, processOf } from './parties.ts';

const timeoutMs = 10_000;
/** The reasons of errors that an operator's calls may get because the task has changed meanwhile. */
const tooLateReasons = new Set(['TASK_ENDED', 'NOT_DEAD', 'EXPIRES_SOON', 'HAND_OVER_PENDING', 'CONFLICT']);

/** Simulates an operator who cancels, redrives and skips tasks, changes the `onDead` setting of queues and pauses queues. */
export async function operator(network: Network): Promise<void> {
  const { world } = network;
  const process = processOf(network, 'operator');
  const client = clientOf(network, process);
  const transport = new SimTransport(network, process);
  const { pausesQueues, cancelsWaves, hasBursts } = world.features;
  if (hasBursts && pausesQueues) world.runInBackground(afterBurst(pauseForAWhile));
  if (hasBursts && cancelsWaves) world.runInBackground(afterBurst(() => cancelMany(client)));
  for (;;) {
    await process.clock.sleep(world.between(1_000, 5_000));
    if (world.chooseEvent('onDead changed', 0.15)) await setOnDead();
    if (pausesQueues && world.chooseEvent('queue paused', 0.12)) world.runInBackground(pauseForAWhile());
    if (cancelsWaves && world.chooseEvent('cancel wave', 0.06)) await cancelMany(client);
    const task = world.pick([...world.shadow.tasks.values()]);
    if (task === undefined) continue;
    const { state } = task.folded;
    if (world.hasFaults && state !== 'dead' && world.chance(0.3))
      await allowTooLate(client.task(task.id).cancel('no more'));
    if (world.hasFaults && state === 'dead' && world.chance(0.7))
      await allowTooLate(client.task(task.id).redrive());
    // A pause that was slow may have taken effect after the queue was resumed.
    if (pausesQueues && !world.hasFaults) await Promise.all(queues.map(resumeQueue));
    await freeHeldLanes(client);
  }

  /**
   * Redrives or skips dead tasks that hold their lanes: while a dead task holds the lane of its ordering key, no other
   * task with this key starts.
   */
  async function freeHeldLanes(by: Client): Promise<void> {
    const holders = [...world.shadow.tasks.values()].filter(({ folded }) => folded.holdsLane);
    for (const { id } of holders) {
      if (world.hasFaults && world.chance(0.6)) continue;
      const task = by.task(id);
      await allowTooLate(world.chance(0.5) ? task.redrive() : task.cancel('skipped'));
    }
  }

  /** Does something while the tasks of a burst wait in the buffers of workers. */
  async function afterBurst(act: () => Promise<void>): Promise<void> {
    await process.clock.sleep(world.burstAtMs + world.between(10, 1_500));
    await act();
  }

  async function pauseForAWhile(): Promise<void> {
    const name = world.pick(queues) ?? 'mail';
    if (world.paused.has(name)) return;
    await allowTooLate(pauseQueue(name));
    await process.clock.sleep(world.between(3_000, 20_000));
    // The queue must go on some time, whatever happens to the calls.
    while (!(await resumeQueue(name))) await process.clock.sleep(1_000);
  }

  async function resumeQueue(name: string): Promise<boolean> {
    world.paused.resumed(name);
    const call = transport.call(AdminService.method.resumeQueue, { name, create: true }, { timeoutMs });
    const done = await call.catch((thrown: unknown) => rethrowUnlessTransient(thrown, 'an operator'));
    return done !== undefined;
  }

  async function pauseQueue(name: string): Promise<void> {
    await transport.call(AdminService.method.pauseQueue, { name, create: true }, { timeoutMs });
    world.paused.paused(name);
  }

  /** Cancels a third of the unfinished tasks at one moment, also those that wait in the buffers of workers. */
  async function cancelMany(by: Client): Promise<void> {
    const chosen = [...world.shadow.tasks.values()].filter(
      ({ folded }) => !isEnded(folded) && world.chance(0.33),
    );
    await Promise.all(chosen.map(({ id }) => allowTooLate(by.task(id).cancel('a wave'))));
  }

  async function setOnDead(): Promise<void> {
    const onDead = world.chance(0.6) ? OnDead.HOLD : OnDead.RELEASE;
    const name = world.pick(queues) ?? 'mail';
    await allowTooLate(
      transport.call(AdminService.method.updateQueue, { name, onDead, create: true }, { timeoutMs }),
    );
  }
}

async function allowTooLate(request: Promise<unknown>): Promise<void> {
  await request.catch((thrown: unknown) => {
    if (!(thrown instanceof HoldfastError && tooLateReasons.has(thrown.reason)))
      rethrowUnlessTransient(thrown, 'an operator');
  });
}
