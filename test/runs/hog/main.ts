/**
 * `npm run hog`: every resource that a client can hold or use up, tried by strangers and by an identity with one verb,
 * each on a server of its own over mutual TLS, beside the probes of another identity. The exit status is 0 if every
 * probe was answered within 2 s and no server needed more than 600 MB.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { programOptions } from '../../fixtures/program-options.ts';
import { roles } from './attack.ts';
import { attacks } from './attacks.ts';
import { makePeers } from './peers.ts';
import { type AttackResult, heading, isGood, lastLineOf, lineOf } from './report.ts';
import { runAttack } from './run.ts';

const values = programOptions('hog', {
  /** The attacks to try, separated by commas; without it all are tried. */
  attack: '',
  /** The role to try it in; without it both. */
  as: '',
  /** The length of each attack. */
  seconds: 10,
});
const wanted = values.attack.split(',');
const chosen = attacks.filter(({ name }) => values.attack === '' || wanted.includes(name));
const chosenRoles = roles.filter((role) => values.as === '' || values.as === role);
if (chosen.length === 0 || chosenRoles.length === 0) {
  const names = attacks.map(({ name }) => name).join(', ');
  console.error(`'--attack' takes some of ${names}; '--as' takes one of ${roles.join(', ')}`);
  process.exit(2);
}

const dir = mkdtempSync(join(tmpdir(), 'holdfast-hog-peers-'));
const results: AttackResult[] = [];
try {
  const peers = await makePeers(dir);
  console.log(heading);
  for (const attack of chosen) {
    for (const role of chosenRoles) {
      if (role === 'stranger' ? !attack.byStranger : attack.verb === undefined) continue;
      const result = await runAttack(attack, role, peers, values.seconds);
      results.push(result);
      console.log(lineOf(result));
    }
  }
} finally {
  rmSync(dir, { recursive: true, force: true });
}
console.log(lastLineOf(results));
process.exit(isGood(results) ? 0 : 1);
