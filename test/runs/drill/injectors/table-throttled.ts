/** The table has far less capacity than the load needs. */
import type { Injector } from './injector.ts';

const writeUnitsPerS = 2;

export const tableThrottled: Injector = {
  store: 'aws',
  inject: async (site) => site.store.table?.set({ limits: [{ writeUnitsPerS }] }),
};
