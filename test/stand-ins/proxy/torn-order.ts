import { draw } from './chance.ts';

/**
 * Returns a seed by which the writes of a torn transaction become visible in this order: `order` has their positions in the
 * transaction. At least a fifth of the longest time passes between two of them. `n` is the number of the call.
 */
export function seedOfOrder(n: number, order: readonly number[]): number {
  for (let seed = 1; ; seed++) {
    const times = order.map((i) => draw(seed, 'visible', n, i));
    if (times.every((time, i) => i === 0 || time - (times[i - 1] ?? 1) > 0.2)) return seed;
  }
}
