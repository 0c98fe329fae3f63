import { seededRandom } from '../../../src/testing/random.ts';

/**
 * Derives a number in [0, 1) from a seed and the name of a decision (such as a kind of fault and the call's number),
 * and from nothing else. So a decision with the same name has the same result in every run, whatever else happens in
 * the run.
 */
export function draw(seed: number, ...about: readonly (string | number)[]): number {
  let hash = 2_166_136_261 ^ seed;
  for (const char of about.join('/')) {
    hash = Math.imul(hash ^ (char.codePointAt(0) ?? 0), 16_777_619);
  }
  return seededRandom(hash)();
}
