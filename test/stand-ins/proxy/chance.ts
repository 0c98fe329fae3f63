import { seededRandom } from '../../../src/testing/random.ts';

/**
 * Derives a number in [0, 1) from a seed and the name of the decision, and from nothing else. So a call with the same
 * name has the same fate in every run, whatever else happens in it.
 */
export function draw(seed: number, ...about: readonly (string | number)[]): number {
  let hash = 2_166_136_261 ^ seed;
  for (const char of about.join('/')) {
    hash = Math.imul(hash ^ (char.codePointAt(0) ?? 0), 16_777_619);
  }
  return seededRandom(hash)();
}
