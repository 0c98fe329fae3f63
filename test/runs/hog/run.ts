/** Runs one attack: a server of its own on an empty store, the probes of another identity, and the attacker. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { command, DeployProcess, programIn } from '../deploys/deploy-process.ts';
import type { Attack, Role, Success } from './attack.ts';
import type { Peers } from './peers.ts';
import type { AttackerOptions, AttackerReport, ProbeReport, ProberOptions } from './process-messages.ts';
import type { AttackResult } from './report.ts';
import { stockUp } from './stock.ts';
import type { Reached } from './tally.ts';
import type { ClientFiles } from './target.ts';

/** `holdfast serve` has this young generation; with a channel to its parent it cannot set it by itself. */
const youngGeneration = '--max-semi-space-size=8';
/** The time in which the first calls of all kinds have been made, before the attack. */
const warmUpMs = 1_500;
/** The time for which the probes go on after the attack. */
const afterMs = 500;
const graceMs = 5_000;
const sampleMs = 100;
/** How many ids of tasks an attacker is given; they are arguments of its process. */
const mostIds = 400;

function filesOf(peers: Peers, { asIdentity }: Attack, role: Role): readonly ClientFiles[] {
  if (role === 'stranger' || asIdentity === undefined) return peers.strangers;
  const files = peers.byVerb.get(asIdentity.verb);
  return files === undefined ? [] : [files];
}

/** The peak of a process's resident memory, in MB, or undefined if it has ended. */
function peakMbOf(pid: number): number | undefined {
  try {
    const kb = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return kb === undefined ? undefined : Number(kb) / 1_024;
  } catch {
    return undefined;
  }
}

function descriptorsOf(pid: number): number {
  try {
    return readdirSync(`/proc/${pid}/fd`).length;
  } catch {
    return 0;
  }
}

export async function runAttack(
  attack: Attack,
  role: Role,
  { measure, atLeast }: Success,
  peers: Peers,
  seconds: number,
): Promise<AttackResult> {
  const dir = mkdtempSync(join(tmpdir(), 'holdfast-hog-'));
  const { ca, cert, key } = peers.server;
  const store = ['--store', `file:${join(dir, 'queue.db')}`, '--port', '0', '--http-port', '0'];
  const tls = ['--ca', ca, '--cert', cert, '--key', key, '--policy', peers.policyFile];
  const server = new DeployProcess(
    'server',
    [youngGeneration, command, 'serve', '--json', ...store, ...tls],
    {},
  );
  const others: DeployProcess[] = [];
  try {
    const { grpcPort, httpPort } = (await server.ready) as { grpcPort: number; httpPort: number };
    const stock = role === 'stranger' ? 'noTasks' : (attack.stock ?? 'noTasks');
    const taskIds = (await stockUp(grpcPort, peers.stock, stock)).slice(0, mostIds);

    const probes: ProbeReport[] = [];
    let isAttacked = false;
    const proberOptions: ProberOptions = { grpcPort, httpPort, files: peers.probe };
    const prober = new DeployProcess(
      'prober',
      [programIn('../hog/prober-process.ts'), JSON.stringify(proberOptions)],
      {},
    );
    others.push(prober);
    prober.onMessage((probe: ProbeReport) => isAttacked && probes.push(probe));
    await prober.ready;
    await sleep(warmUpMs);

    let reached: Reached = { sent: 0, answered: 0, held: 0 };
    let descriptors = 0;
    let hasServerEnded = false;
    let peakMb = 0;
    void server.ended.then(() => {
      hasServerEnded = true;
    });
    const sample = (): void => {
      descriptors = Math.max(descriptors, descriptorsOf(server.pid));
      peakMb = peakMbOf(server.pid) ?? peakMb;
    };
    const files = filesOf(peers, attack, role);
    const options: AttackerOptions = { attack: attack.name, grpcPort, httpPort, files, taskIds, seconds };
    const attacker = new DeployProcess(
      'attacker',
      [programIn('../hog/attacker-process.ts'), JSON.stringify(options)],
      {},
    );
    others.push(attacker);
    attacker.onMessage((report: AttackerReport) => {
      reached = report.reached;
    });
    await attacker.ready;
    isAttacked = true;
    const sampling = setInterval(sample, sampleMs);
    await Promise.race([attacker.ended, sleep((seconds + 5) * 1_000)]);
    await sleep(afterMs);
    clearInterval(sampling);
    sample();
    return {
      ...{ name: attack.name, role, counts: attack.counts },
      ...{ measure, reached: reached[measure], atLeast },
      ...{ peakMb, descriptors, probes: [...probes], hasServerEnded },
    };
  } finally {
    await Promise.all(others.map((one) => one.kill()));
    await server.stop(graceMs);
    rmSync(dir, { recursive: true, force: true });
  }
}
