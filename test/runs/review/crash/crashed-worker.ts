/** The second question: a worker claims a task and crashes 10 s later. */

import { setTimeout as sleep } from 'node:timers/promises';
import { encodeLease } from '../../../../src/core/codec/lease.ts';
import { connect, defineTask, HoldfastError, typed } from '../../../../src/index.ts';
import type { Evidence, Question } from '../question.ts';
import { type EngineName, engineNames, openSite, type Site } from '../site/site.ts';
import { succeed } from '../site/worker-calls.ts';
import { type DumpedHead, headReader } from './dumped-head.ts';
import { startFirst, startSecond, type WorkerKind } from './workers.ts';

/** The rules of the product that the answer shows: a lease, and the guard after it. */
const leaseMs = 30_000;
const guardMs = 2_000;
const crashAtMs = 10_000;
/** How much later than the rule a second claim may be on a busy machine. */
const latenessMs = 4_000;

interface Case {
  readonly engine: EngineName;
  readonly kind: WorkerKind;
  readonly heartbeat: boolean;
}

const kindsOf: Readonly<Record<EngineName, readonly WorkerKind[]>> = {
  sqlite: ['stream', 'unary'],
  aws: ['stream', 'unary', 'sqs'],
};
const casesOf = (engine: EngineName): readonly Case[] =>
  kindsOf[engine].flatMap((kind) => [false, true].map((heartbeat) => ({ engine, kind, heartbeat })));
const queueOf = ({ kind, heartbeat }: Case): string => `crash-${kind}-${heartbeat ? 'beat' : 'silent'}`;
const nameOf = ({ engine, kind, heartbeat }: Case): string =>
  `${engine} ${kind}, ${heartbeat ? 'a heartbeat at 10 s' : 'no heartbeat'}`;

function headText(head: DumpedHead, claimedAtMs: number): string {
  const end =
    head.leaseEndAtMs === 0 ? 'none' : `+${((head.leaseEndAtMs - claimedAtMs) / 1_000).toFixed(1)} s`;
  return (
    `token ${head.fencingToken}, attempt ${head.attempt}, losses ${head.losses}, lease end ${end}, ` +
    `begun ${head.begun ? 'yes' : 'no'}, worker ${head.worker.split('/')[0]} [${head.raw}]`
  );
}

/** Settles by the lease of the first worker, and returns the error's code and reason. */
async function lateSettlement(site: Site, id: string, first: DumpedHead): Promise<string> {
  const { fencingToken, version, timeoutAtMs, leaseSecret: secret } = first;
  const lease = encodeLease({ id, fencingToken, version, timeoutAtMs, secret, receiptHandle: '' });
  try {
    await succeed(site.transport, lease);
    return 'accepted';
  } catch (thrown) {
    if (!(thrown instanceof HoldfastError)) throw thrown;
    return `${thrown.code} ${thrown.reason}: ${thrown.message}`;
  }
}

async function until<T>(limitMs: number, find: () => Promise<T | undefined>): Promise<T | undefined> {
  const endMs = performance.now() + limitMs;
  for (;;) {
    const found = await find();
    if (found !== undefined || performance.now() > endMs) return found;
    await sleep(100);
  }
}

async function runCase(evidence: Evidence, site: Site, one: Case): Promise<void> {
  const name = nameOf(one);
  const queue = queueOf(one);
  const reader = headReader(site);
  const job = defineTask('job', { queue, input: typed<{ readonly n: number }>() });
  const first = await startFirst(site, one.kind, queue, one.heartbeat ? crashAtMs : undefined);
  const client = connect(site.url, { plaintext: true });
  let second: Awaited<ReturnType<typeof startSecond>> | undefined;
  try {
    const { id } = await client.submit(job, { n: 1 });
    const claimed = await until(30_000, async () => {
      const head = await reader.read(id);
      return head.isRunning ? head : undefined;
    });
    if (claimed === undefined) throw new Error(`${name}: nobody claimed the task`);
    const claimedAtMs = claimed.leaseEndAtMs - leaseMs;
    const at = async (ms: number): Promise<DumpedHead> => {
      await sleep(Math.max(0, claimedAtMs + ms - Date.now()));
      const seconds = ((Date.now() - claimedAtMs) / 1_000).toFixed(1).padStart(4);
      const [head, shown] = await Promise.all([reader.read(id), client.task(id).status()]);
      evidence.see(
        `${name}: at ${seconds} s ${headText(head, claimedAtMs)}; status: ${shown.state}, attempt ${shown.attempt}, losses ${shown.losses}`,
      );
      return head;
    };
    await at(0);
    // A worker with a stream fetches a task ahead, which it cannot begin: its slot is taken.
    const fetched = one.kind === 'stream' ? await client.submit(job, { n: 2 }) : undefined;
    if (fetched !== undefined) {
      const shown = await until(6_000, async () => {
        const status = await fetched.status();
        return status.state === 'reserved' ? status : undefined;
      });
      const { state, attempt, losses } = shown ?? (await fetched.status());
      evidence.see(`${name}: a second task, fetched ahead: ${state}, attempt ${attempt}, losses ${losses}`);
      evidence.expect(state === 'reserved', `${name}: the second task is ${state}, not reserved`);
    }
    if (one.heartbeat) {
      const beaten = await until(16_000, async () => {
        const head = await reader.read(id);
        return head.leaseEndAtMs > claimed.leaseEndAtMs ? head : undefined;
      });
      if (beaten === undefined) throw new Error(`${name}: no heartbeat came`);
    } else {
      // A worker that stands still sends no heartbeat.
      await sleep(claimedAtMs + crashAtMs - 2_000 - Date.now());
      first.pause();
      await sleep(claimedAtMs + crashAtMs - Date.now());
    }
    await first.kill();
    const crashed = await at(crashAtMs);
    second = await startSecond(site, one.kind, queue);
    for (const ms of one.heartbeat ? [30_000, 35_000, 40_000] : [30_000]) {
      const head = await at(ms);
      evidence.expect(
        head.fencingToken === claimed.fencingToken && head.leaseEndAtMs === crashed.leaseEndAtMs,
        `${name}: at ${ms / 1_000} s the head is not that of the crash`,
      );
    }
    const dueMs = crashed.leaseEndAtMs + guardMs - claimedAtMs;
    const next = await until(dueMs + latenessMs - (Date.now() - claimedAtMs), async () => {
      const head = await reader.read(id);
      return head.fencingToken > claimed.fencingToken ? head : undefined;
    });
    if (next === undefined) throw new Error(`${name}: nobody claimed the task again`);
    const nextAtMs = next.leaseEndAtMs - leaseMs - claimedAtMs;
    await at(one.heartbeat ? 45_000 : 35_000);
    evidence.see(
      `${name}: ${next.worker.split('/')[0]} claims it after ${(nextAtMs / 1_000).toFixed(1)} s (lease end ${((crashed.leaseEndAtMs - claimedAtMs) / 1_000).toFixed(1)} s + guard ${guardMs / 1_000} s), with the fencing token ${next.fencingToken} (before: ${claimed.fencingToken})`,
    );
    evidence.expect(nextAtMs >= dueMs - 100, `${name}: claimed before the guard was over`);
    evidence.expect(next.worker.startsWith('second'), `${name}: claimed by ${next.worker}`);
    evidence.expect(
      next.attempt === 1 && next.losses === 1,
      `${name}: attempt ${next.attempt}, losses ${next.losses}`,
    );
    if (fetched !== undefined) {
      const { state, attempt, losses } = await fetched.status();
      evidence.see(
        `${name}: the task that was fetched ahead: ${state}, attempt ${attempt}, losses ${losses}`,
      );
      evidence.expect(
        state === 'succeeded' && losses === 0,
        `${name}: the fetched task is ${state}, losses ${losses}`,
      );
    }
    const late = await lateSettlement(site, id, claimed);
    evidence.see(`${name}: a late settlement of the first worker gets ${late}`);
    evidence.expect(late.includes('LEASE_LOST'), `${name}: the late settlement got ${late}`);
  } finally {
    reader.close();
    await client.close();
    await first.kill();
    await second?.kill();
  }
}

async function onEngine(evidence: Evidence, engine: EngineName): Promise<void> {
  const cases = casesOf(engine);
  const site = await openSite(engine, cases.map(queueOf));
  try {
    evidence.act(
      `${engine}: for each of ${kindsOf[engine].join(', ')} a worker claims a task and is killed 10 s later, once without and once with a heartbeat; a second worker waits`,
    );
    await evidence.together(
      Object.fromEntries(cases.map((one) => [nameOf(one), (part) => runCase(part, site, one)])),
    );
  } finally {
    await site.close();
  }
}

export const crashedWorker: Question = {
  number: 2,
  title:
    'A worker claims a task and crashes 10 s later: what does the store hold, who runs the task next, and when?',
  async answer(evidence) {
    await evidence.together(
      Object.fromEntries(engineNames.map((engine) => [engine, (part) => onEngine(part, engine)])),
    );
  },
};
