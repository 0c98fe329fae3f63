import type { Verb } from '../../../src/rpc/api/api.ts';
import type { Measure } from './tally.ts';
import type { Target } from './target.ts';

/** The tasks that the store has before an attack: their number, and the size of their payloads. */
export type Stock = 'noTasks' | '300SmallTasks' | '402LargeTasks' | '20000SmallTasks';

/** How an attack is counted in one role, and how much it must reach there: with less, it did not show anything. */
export interface Success {
  readonly measure: Measure;
  readonly atLeast: number;
}

export interface Attack {
  readonly name: string;
  /** Says in the plural which items are counted. */
  readonly counts: string;
  /** Undefined if the attack is not tried as a stranger, a client without an identity. */
  readonly asStranger: Success | undefined;
  /** The only verb of the identity that tries it. Undefined if the attack is not tried as an identity. */
  readonly asIdentity: (Success & { readonly verb: Verb }) | undefined;
  /** Default: `noTasks`. */
  readonly stock?: Stock;
  run(target: Target): Promise<void>;
}

export const roles = ['stranger', 'identity'] as const;
export type Role = (typeof roles)[number];

/** Returns how an attack is counted in a role, or undefined if it is not tried in it. */
export function successOf(attack: Attack, role: Role): Success | undefined {
  return role === 'stranger' ? attack.asStranger : attack.asIdentity;
}
