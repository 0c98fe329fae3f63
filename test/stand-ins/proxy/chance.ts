import { seededRandom } from '../../../src/testing/random.ts';

/**
 * A number in [0, 1) out of a seed and what it decides about. It depends on nothing else, so the answer to a call is
 * the same in every run in which the call has the same name, whatever else went on.
 */
export function draw(seed: number, ...about: readonly (string | number)[]): number {
  let hash = 2_166_136_261 ^ seed;
  for (const char of about.join('/')) {
    hash = Math.imul(hash ^ (char.codePointAt(0) ?? 0), 16_777_619);
  }
  return seededRandom(hash)();
}
