import type { Attack } from './attack.ts';
import { connectionAttacks } from './connection-attacks.ts';
import { frameAttacks } from './frame-attacks.ts';
import { heldAttacks } from './held-attacks.ts';
import { reportAttacks } from './report-attacks.ts';
import { workAttacks } from './work-attacks.ts';

/** Each resource that a client can hold or use up, in the order in which they are tried. */
export const attacks: readonly Attack[] = [
  ...connectionAttacks,
  ...heldAttacks,
  ...frameAttacks,
  ...workAttacks,
  ...reportAttacks,
];
