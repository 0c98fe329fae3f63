/**
 * `npm run hog`: attacks of strangers and of an identity with one verb, which hold or use up as much of one resource as
 * they can, each on a server of its own over mutual TLS, beside the probes of another identity. The exit status is 0 if
 * every attack reached as much as it must, every probe was answered within 2 s and no server needed more than 600 MB.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { programOptions } from '../../fixtures/program-options.ts';
import { chosenPairs } from './attacks.ts';
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
const chosen = chosenPairs(values);
if (typeof chosen === 'string') {
  console.error(chosen);
  process.exit(2);
}

const dir = mkdtempSync(join(tmpdir(), 'holdfast-hog-peers-'));
const results: AttackResult[] = [];
try {
  const peers = await makePeers(dir);
  console.log(heading);
  for (const { attack, role, success } of chosen) {
    const result = await runAttack(attack, role, success, peers, values.seconds);
    results.push(result);
    console.log(lineOf(result));
  }
} finally {
  rmSync(dir, { recursive: true, force: true });
}
console.log(lastLineOf(results));
process.exit(isGood(results) ? 0 : 1);
