/** Orders come that a handler draws by a call that blocks the thread of its worker. */
import { mostPages } from '../contract.ts';
import type { Injector } from './injector.ts';

export const blockedThread: Injector = {
  store: 'file',
  async inject(site) {
    site.changeLoad({ pages: mostPages + 1 });
  },
};
