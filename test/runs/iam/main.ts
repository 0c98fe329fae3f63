/**
 * `npm run iam`: records every call to AWS that each process makes while the suites on AWS's stand-ins and a scenario run,
 * deploys the synthesized policies to an account that enforces them, and sends all recorded calls with the roles'
 * credentials. Each must be allowed, every grant must have been used, and a list of requests must be denied. `--scenario`
 * leaves the suites out, and then calls and grants are missing that they alone use.
 */
import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { programOptions } from '../../fixtures/program-options.ts';
import { openAccount } from './account.ts';
import type { RecordedCall } from './calls.ts';
import { faultsOf, grantsIn } from './grants.ts';
import { judgeRole, unenforced, type Verdict } from './judge.ts';
import { foreignRoles, provedRoles, unusedForAReason } from './roles.ts';
import { runScenario } from './scenario.ts';
import { runSuites } from './suites.ts';

const { scenario, limit } = programOptions('iam', {
  scenario: false,
  /** The time in seconds after which a run that hangs is given up. */
  limit: 900,
});

const beganMs = performance.now();
const progress = (line: string): void =>
  console.log(`  ${((performance.now() - beganMs) / 1_000).toFixed(0).padStart(3)} s  ${line}`);
const watchdog = setTimeout(() => {
  console.error(`the run did not end within ${limit} s`);
  // All processes of the run end with this one.
  process.exit(1);
}, limit * 1_000);

const folder = mkdtempSync(join(tmpdir(), 'holdfast-iam-calls-'));
process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
const recorder = new URL('./recorder.ts', import.meta.url).href;
const recording = { HOLDFAST_IAM_RECORD: folder, NODE_OPTIONS: `--import ${recorder}` };

const account = await openAccount();
progress(`${account.roles.length} roles are deployed`);
const roleOf = (name: string) => account.roles.find(({ proved }) => proved.name === name);
const server = roleOf('server');
if (server === undefined) throw new Error('the stacks have no role of the server');
await Promise.all([
  runScenario({
    ...{ aws: account.aws, table: server.names.table, cluster: server.names.cluster, recording, progress },
    queues: ['default', 'holdfast-canary'],
    async credentials(name) {
      const role = roleOf(name);
      if (role === undefined) throw new Error(`there is no role ${name}`);
      return role.credentials();
    },
    record(caller, operation, input) {
      const call: RecordedCall = { caller, service: 'ECS', operation, input: { ...input } };
      appendFileSync(join(folder, 'agent.jsonl'), `${JSON.stringify(call)}\n`);
    },
  }),
  scenario ? undefined : runSuites(recording).then(progress),
]);
clearTimeout(watchdog);

const calls = readdirSync(folder)
  .flatMap((file) => readFileSync(join(folder, file), 'utf8').split('\n'))
  .filter((line) => line !== '')
  .map((line) => JSON.parse(line) as RecordedCall);
const verdicts: Verdict[] = [];
for (const role of account.roles) verdicts.push(await judgeRole(role, calls, account));
const faults = [
  ...(await unenforced(calls, account)).map((kind) => `the stand-in does not judge: ${kind}`),
  ...(await faultsOf(grantsIn(account.foreign))),
];
await account.stop();

const row = (cells: readonly (string | number)[]): string =>
  cells.map((cell, i) => (i === 0 ? String(cell).padEnd(24) : String(cell).padStart(9))).join('');
console.log(row(['role', 'calls', 'allowed', 'grants', 'unused', 'must deny', 'denied']));
for (const one of verdicts)
  console.log(
    row([one.role, one.calls, one.allowed, one.grants, one.unused.length, one.mustDeny, one.denied]),
  );
for (const { roles, grant, reason } of unusedForAReason)
  console.log(`kept unused: ${grant.source} of ${roles.source}: ${reason}`);
for (const { logicalId, reason } of foreignRoles) console.log(`not proved: ${logicalId.source}: ${reason}`);
for (const { role, faults: ofRole } of verdicts) for (const fault of ofRole) console.log(`${role}: ${fault}`);
for (const fault of faults) console.log(fault);

const sum = (of: (one: Verdict) => number): number => verdicts.reduce((total, one) => total + of(one), 0);
const total = {
  calls: sum((one) => one.calls),
  allowed: sum((one) => one.allowed),
  unusedGrants: sum((one) => one.unused.length),
  mustDeny: sum((one) => one.mustDeny),
  denied: sum((one) => one.denied),
};
console.log(
  `iam: ${Object.entries(total)
    .map(([name, count]) => `${name}=${count}`)
    .join(' ')}`,
);
const isProved = verdicts.length === provedRoles.length && verdicts.every((one) => one.faults.length === 0);
process.exit(isProved && faults.length === 0 && total.calls > 0 ? 0 : 1);
