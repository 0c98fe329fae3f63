import { expect, it } from 'vitest';
import { memory } from '../../engines/memory/index.ts';
import { virtualClock } from '../../testing/virtual-clock.ts';
import { QueueSettings } from './queue-settings.ts';

const mails = { tenant: 'default', queue: 'mails' };

/** Starts the settings of two nodes on one store. `changes` are the values of `paused` at each change that the first node notifies. */
function startNodes() {
  const { registry } = memory({ clock: virtualClock() });
  const node = new QueueSettings(registry, true);
  const other = new QueueSettings(registry, true);
  const changes: (boolean | undefined)[] = [];
  node.onChange(() => changes.push(node.of(mails).paused));
  return { node, other, changes };
}

it('a pause by another node that is noticed at the end of a lane release reaches the listeners', async () => {
  const { node, other, changes } = startNodes();
  const laneRelease = { sinceMs: 1, actor: 'op' };
  await node.update(mails, { laneRelease }, true);
  await other.update(mails, { paused: true });
  changes.length = 0;
  await node.laneReleaseDone(mails, laneRelease);
  expect(changes).toEqual([true]);
});

it('a pause by another node that is noticed when a newer lane release is found reaches the listeners', async () => {
  const { node, other, changes } = startNodes();
  await node.update(mails, { laneRelease: { sinceMs: 1, actor: 'op' } }, true);
  await other.update(mails, { paused: true, laneRelease: { sinceMs: 2, actor: 'op' } });
  changes.length = 0;
  await node.laneReleaseDone(mails, { sinceMs: 1, actor: 'op' });
  expect(changes).toEqual([true]);
  expect(node.of(mails).laneRelease?.sinceMs).toBe(2);
});

it('a paused queue that a waiting worker finds reaches the listeners of the others that wait for it', async () => {
  const { node, other, changes } = startNodes();
  await other.update(mails, { paused: true }, true);
  await node.look(mails);
  expect(changes).toEqual([true]);
});

it('a paused queue that a submission finds reaches the listeners of the workers that wait for it', async () => {
  const { node, other, changes } = startNodes();
  await other.update(mails, { paused: true }, true);
  await node.ensure(mails);
  expect(changes).toEqual([true]);
});

it('a new queue with the initial configuration interrupts no worker that waits for it', async () => {
  const { node, changes } = startNodes();
  await node.ensure(mails);
  expect(node.has(mails)).toBe(true);
  expect(changes).toEqual([]);
});
