/** Somebody pauses a queue and does not resume it. Its tasks miss their deadlines. */
import { letterQueue } from '../contract.ts';
import type { Injector } from './injector.ts';

export const pausedQueue: Injector = {
  store: 'file',
  inject: (site) => site.holdfast('queues', 'pause', letterQueue),
};
