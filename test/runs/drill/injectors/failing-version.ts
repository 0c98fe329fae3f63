/** A deploy replaces all workers by a version that fails every task of one type. */
import type { Injector } from './injector.ts';

export const failingVersion: Injector = {
  store: 'file',
  inject: (site) => site.deployWorkers('./next-worker-module.ts', 2),
};
