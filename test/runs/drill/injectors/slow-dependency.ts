/** The service that handlers ask takes seconds for an answer. */
import type { Injector } from './injector.ts';

/** Longer than the 5 s from which the runbooks look at an attempt as slow. */
const delayMs = 6_000;

export const slowDependency: Injector = {
  store: 'file',
  async inject(site) {
    site.prices.delayMs = delayMs;
  },
};
