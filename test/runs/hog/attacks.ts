import { type Attack, type Role, roles, type Success, successOf } from './attack.ts';
import { connectionAttacks } from './connection-attacks.ts';
import { frameAttacks } from './frame-attacks.ts';
import { heldAttacks } from './held-attacks.ts';
import { reportAttacks } from './report-attacks.ts';
import { submitStreamAttacks } from './submit-stream-attacks.ts';
import { workAttacks } from './work-attacks.ts';

/** All attacks, in the order in which they are tried. `attacks.spec.ts` lists the calls that none of them makes. */
export const attacks: readonly Attack[] = [
  ...connectionAttacks,
  ...heldAttacks,
  ...frameAttacks,
  ...workAttacks,
  ...submitStreamAttacks,
  ...reportAttacks,
];

/** One run of an attack: each attack has a run for each role that it is tried in. */
export interface AttackPair {
  readonly attack: Attack;
  readonly role: Role;
  readonly success: Success;
}

export const attackPairs: readonly AttackPair[] = attacks.flatMap((attack) =>
  roles.flatMap((role) => {
    const success = successOf(attack, role);
    return success === undefined ? [] : [{ attack, role, success }];
  }),
);

/** Returns the pairs that `--attack` and `--as` choose, or a message if they name anything unknown or choose none. */
export function chosenPairs(options: {
  readonly attack: string;
  readonly as: string;
}): readonly AttackPair[] | string {
  const wanted = options.attack === '' ? [] : options.attack.split(',');
  const names = attacks.map(({ name }) => name);
  const unknown = wanted.filter((name) => !names.includes(name));
  if (unknown.length > 0)
    return `no attack is named ${unknown.map((name) => `'${name}'`).join(', ')}; there are ${names.join(', ')}`;
  if (options.as !== '' && !roles.some((role) => role === options.as))
    return `'--as' takes one of ${roles.join(', ')}, not '${options.as}'`;
  const chosen = attackPairs.filter(
    ({ attack, role }) =>
      (wanted.length === 0 || wanted.includes(attack.name)) && (options.as === '' || options.as === role),
  );
  return chosen.length > 0 ? chosen : `'${options.attack}' is not tried as ${options.as}`;
}
