import type { Verb } from '../../../src/rpc/api/api.ts';
import type { Target } from './target.ts';

/** The tasks that the store has before an attack. */
export type Stock = 'none' | 'few' | 'large' | 'many';

export interface Attack {
  readonly name: string;
  /** Says what `reached` counts, in the plural. */
  readonly counts: string;
  /** True if clients without an identity can try it. */
  readonly byStranger: boolean;
  /** The only verb of the identity that tries it; undefined if an identity changes nothing. */
  readonly verb: Verb | undefined;
  /** Default: `none`. */
  readonly stock?: Stock;
  run(target: Target): Promise<void>;
}

export const roles = ['stranger', 'identity'] as const;
export type Role = (typeof roles)[number];
