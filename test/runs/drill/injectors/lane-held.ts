/** A task of a lane dies, in a queue that lets later tasks of its lane wait until somebody decides about it. */
import { book, laneQueue } from '../contract.ts';
import type { Injector } from './injector.ts';

const account = 'account-3';

export const laneHeld: Injector = {
  store: 'file',
  async inject(site) {
    await site.holdfast('queues', 'set', laneQueue, '--on-dead', 'hold');
    const input = JSON.stringify({ account, cents: 0 });
    await site.holdfast('submit', book.name, input, '--queue', laneQueue, '--ordering-key', account);
  },
};
