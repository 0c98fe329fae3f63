/** The disk of the store is full. */
import type { Injector } from './injector.ts';

export const diskFull: Injector = {
  store: 'small-disk',
  async inject(site) {
    site.store.disk?.fill();
  },
};
