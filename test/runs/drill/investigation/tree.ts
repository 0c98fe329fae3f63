/**
 * The decision tree of the runbooks: it begins at the page that the alert links, asks its questions in order, and decides by the
 * answers alone. It is written from the pages; a question that a page does not have ends the investigation with an error.
 */

import { runbookOf } from '../../../../scripts/rules/runbooks.ts';
import type { Named } from '../causes.ts';
import { mostOf, slowCallOf, totalOf } from './answers.ts';
import type { Investigation } from './investigation.ts';

const budgetBurn = 'fast-budget-burn.md';
const oldestReady = 'oldest-ready.md';
const unserved = 'unserved.md';
const deadInflow = 'dead-inflow.md';
const certificateExpiry = 'certificate-expiry.md';
const leaseExpiries = 'lease-expiries.md';
const sweepLag = 'sweep-lag.md';
const noSeries = 'no-series.md';

/** An attempt is slow from this time on, and a call explains it if it takes this share of it. */
const slowMs = 5_000;
const wholeShare = 0.8;
/** The number of looks at a worker that does not answer: its missing heartbeats count from 12 s after the last one. */
const silentTries = 5;
/** The number of looks for another alert. */
const otherTries = 6;
const againMs = 3_000;

type Page = (at: Investigation) => Promise<Named>;

const pages: Readonly<Record<string, Page>> = {
  [budgetBurn]: decideBudgetBurn,
  'slow-budget-burn.md': decideSlowBudgetBurn,
  [oldestReady]: decideOldestReady,
  [unserved]: decideUnserved,
  [deadInflow]: decideDeadInflow,
  [certificateExpiry]: decideCertificateExpiry,
  [leaseExpiries]: decideLeaseExpiries,
  [sweepLag]: decideSweepLag,
  [noSeries]: decideNoSeries,
};

/** Follows the runbook of the alert to a cause. */
export async function conclude(at: Investigation): Promise<Named> {
  const page = at.annotations.runbook_url?.split('/').at(-1) ?? '';
  const decide = pages[page];
  return decide === undefined ? 'unknown' : decide(at);
}

async function decideSlowBudgetBurn(at: Investigation): Promise<Named> {
  await at.ask('slow-budget-burn.md', 'What is left of each budget?');
  await at.ask('slow-budget-burn.md', 'Is it one outage that is over, or a steady loss?');
  return decideBudgetBurn(at);
}

async function decideBudgetBurn(at: Investigation): Promise<Named> {
  const slo = at.labels.sloth_slo;
  await at.ask(budgetBurn, 'How fast does each objective burn?');
  if (slo === 'start-latency') return decideOldestReady(at);
  if (slo === 'completion') return decideDeadInflow(at);
  const slots = await at.ask(budgetBurn, 'Why are slots of the canary bad?');
  const down = await at.ask(budgetBurn, 'Does Prometheus reach the canary and the servers at all?');
  const worst = mostOf(slots.samples, 'result');
  if (worst === undefined && down.samples.length === 0) return decideNothingSeen(at);
  if (down.samples.some(isServer)) {
    const named = await decideNoServer(at, budgetBurn, 'Was a server that is gone stopped?');
    if (named !== 'none') return named;
  }
  if (worst === 'unreachable' || worst === 'refused') {
    const named = await decideCertificateExpiry(at);
    if (named !== 'unknown') return named;
  }
  const named = await decideStore(at);
  return named === 'unknown' ? decideByOtherAlert(at) : named;
}

/** The canary has bad slots for no reason of its own: an alert about the cause may come later. */
async function decideByOtherAlert(at: Investigation): Promise<Named> {
  for (let left = otherTries; left > 0; left--) {
    const others = await at.ask(budgetBurn, 'Does another alert say more?');
    const [other] = others.samples;
    if (other !== undefined) {
      at.lookAt(other.labels.queue);
      return pages[runbookOf(other.labels.alertname ?? '')]?.(at) ?? 'unknown';
    }
    await at.wait(againMs);
  }
  return 'unknown';
}

const isServer = ({ labels }: { readonly labels: Readonly<Record<string, string>> }): boolean =>
  labels.job === 'holdfast-server';
const isWorker = ({ labels }: { readonly labels: Readonly<Record<string, string>> }): boolean =>
  labels.job === 'holdfast-worker';

/** No slot is bad any more: whatever it was is over, unless tasks are in trouble. */
async function decideNothingSeen(at: Investigation): Promise<Named> {
  const { groups, error } = await at.trouble(budgetBurn);
  return error === '' && groups.length === 0 ? 'none' : 'unknown';
}

/** Prometheus does not reach a server: was it killed, or did somebody stop it? `none` if the API answers. */
async function decideNoServer(at: Investigation, page: string, lastLines: string): Promise<Named> {
  const { error } = await at.trouble(page);
  // The server answers: it was only too slow for Prometheus.
  if (error === '') return 'none';
  const { lines } = await at.ask(page, lastLines);
  const hasNoStop = !lines.some((line) => line._msg?.startsWith('the server is stopping'));
  return lines.length > 0 && hasNoStop ? 'killed-node' : 'unknown';
}

async function decideCertificateExpiry(at: Investigation): Promise<Named> {
  const certificates = await at.ask(certificateExpiry, 'Which certificates, of whom?');
  if (!certificates.samples.some(({ value }) => value < 0)) return 'unknown';
  await at.ask(certificateExpiry, 'Are connections refused already?');
  return 'expired-certificate';
}

/** The API answers, and refuses or is slow: which of the things that a server needs is the cause? */
async function decideStore(at: Investigation): Promise<Named> {
  const refused = await at.ask(budgetBurn, 'Which submissions are refused, and why?');
  const store = await at.ask(budgetBurn, 'Is the store slow, or AWS throttled?');
  const throttled = await at.ask(budgetBurn, 'Does AWS throttle, or does it not answer?');
  const lines = (await at.ask(budgetBurn, 'What do the servers say?')).lines;
  const { groups } = await at.trouble(budgetBurn);
  const has = (verdict: string): boolean => groups.some((one) => one.verdict === verdict);
  if (totalOf(refused.samples, { why: 'store_full' }) > 0 && has('STORE_FULL')) return 'disk-full';
  const open = (dependency: string): boolean => totalOf(store.samples, { dependency }) > 0;
  if (open('table') && throttled.samples.some(({ labels }) => ofTable.test(labels.operation ?? '')))
    return 'table-throttled';
  if (open('queues') && !throttled.samples.some(({ labels }) => ofSqs.test(labels.operation ?? '')))
    return lines.some((line) => ofNoConnection.test(JSON.stringify(line))) ? 'sqs-unreachable' : 'unknown';
  return 'unknown';
}

const ofTable = /Item|Query|Scan/;
const ofSqs = /Message/;
const ofNoConnection = /ECONNREFUSED|ENOTFOUND|ETIMEDOUT|EHOSTUNREACH/;

async function decideOldestReady(at: Investigation): Promise<Named> {
  const ages = await at.ask(oldestReady, 'Which queues, and for how long?');
  if (at.queue === '') at.lookAt(mostOf(ages.samples, 'queue'));
  const waiting = await at.ask(oldestReady, 'Is there anything that no worker can take?');
  if (totalOf(waiting.samples) > 0) return decideUnserved(at);
  const workers = await at.ask(oldestReady, 'Are workers connected, and have they room?');
  const isConnected = totalOf(workers.samples, { queue: at.queue }) > 0;
  const silent = await at.ask(oldestReady, 'Does a handler block the thread of its worker?');
  if (isConnected && silent.samples.some(isWorker)) return decideBlockedThread(at);
  const { groups } = await at.trouble(oldestReady);
  if (groups.some(({ verdict, queue }) => unservedVerdicts.has(verdict) && queue === at.queue))
    return decideUnserved(at);
  await at.ask(oldestReady, 'Which queues hold the slots?');
  await at.ask(oldestReady, 'Does more come in than goes out?');
  const store = await at.ask(oldestReady, 'Is the store or AWS slow?');
  if (totalOf(store.samples) > 0) return decideStore(at);
  await at.ask(oldestReady, 'Which tasks wait?');
  const slow = await at.ask(oldestReady, 'Where does the time of slow attempts go?');
  return slowCallOf(slow.spans, slowMs, wholeShare) === undefined ? 'unknown' : 'slow-dependency';
}

/** The verdicts for which a task waits until somebody acts. The gauge of unserved tasks is some seconds older than they. */
const unservedVerdicts: ReadonlySet<string> = new Set(['QUEUE_PAUSED', 'LANE_HELD_BY_DEAD', 'NO_WORKER']);

/** A worker is connected and does not answer Prometheus: does it send heartbeats? */
async function decideBlockedThread(at: Investigation): Promise<Named> {
  for (let left = silentTries; left > 0; left--) {
    const { groups } = await at.trouble(oldestReady);
    if (groups.some(({ verdict }) => verdict === 'RUNNING_SILENT')) return 'blocked-thread';
    await at.wait(againMs);
  }
  return 'unknown';
}

async function decideUnserved(at: Investigation): Promise<Named> {
  const tasks = await at.ask(unserved, 'How many tasks, and why?');
  const ofQueue = tasks.samples.filter(({ labels }) => labels.queue === at.queue);
  const cause = mostOf(ofQueue.length > 0 ? ofQueue : tasks.samples, 'cause');
  await at.ask(unserved, 'Which tasks are they?');
  const { groups } = await at.trouble(unserved);
  const group = (verdict: string) => groups.find((one) => one.verdict === verdict);
  // Where a reading of the metrics is missing, the verdicts of the tasks themselves decide.
  const mayBe = (one: string): boolean => cause === undefined || cause === one;
  if (mayBe('paused') && group('QUEUE_PAUSED') !== undefined) return 'paused-queue';
  const held = group('LANE_HELD_BY_DEAD');
  if (!mayBe('lane_held') || held === undefined) return 'unknown';
  const why = await at.command(unserved, `holdfast why ${held.evidence.blockedByTaskId}`);
  return why.result.verdict?.startsWith('DEAD_') ? 'lane-held' : 'unknown';
}

async function decideDeadInflow(at: Investigation): Promise<Named> {
  const dead = await at.ask(deadInflow, 'Which types die, and why?');
  const ofQueue = dead.samples.filter(({ labels }) => at.queue === '' || labels.queue === at.queue);
  if (at.queue === '') at.lookAt(mostOf(dead.samples, 'queue'));
  const reason = mostOf(ofQueue, 'reason');
  if (reason === 'deadline' || reason === 'lifetime') return decideOldestReady(at);
  if (reason === 'worker_lost') return decideLeaseExpiries(at);
  await at.ask(deadInflow, 'How do attempts end?');
  await at.ask(deadInflow, 'Do all tasks of the type fail, or a few?');
  await at.ask(deadInflow, 'Which error is it?');
  await at.ask(deadInflow, 'Where did it fail?');
  const replaced = await at.ask(deadInflow, 'Which version of the worker fails, and which one does not?');
  const versions = (outcome: string): Set<string> =>
    new Set(
      replaced.spans
        .filter(({ kind, attributes }) => kind === 'consumer' && attributes['holdfast.outcome'] === outcome)
        .map(({ version }) => version),
    );
  const [failing, other] = [versions('failed'), versions('succeeded')];
  const isOfOneVersion = failing.size === 1 && other.size > 0 && other.isDisjointFrom(failing);
  return isOfOneVersion ? 'failing-version' : 'unknown';
}

async function decideLeaseExpiries(at: Investigation): Promise<Named> {
  const ended = await at.ask(leaseExpiries, 'Was the handler called before?');
  if (at.queue === '') at.lookAt(mostOf(ended.samples, 'queue'));
  await at.ask(leaseExpiries, 'Do workers come and go?');
  const silent = await at.ask(oldestReady, 'Does a handler block the thread of its worker?');
  await at.trouble(leaseExpiries);
  const isLost = totalOf(ended.samples, { outcome: 'worker_lost' }) > 0;
  return isLost && silent.samples.some(isWorker) ? 'blocked-thread' : 'unknown';
}

async function decideSweepLag(at: Investigation): Promise<Named> {
  await at.ask(sweepLag, 'Which loop, on which server?');
  await at.ask(sweepLag, 'What fails?');
  return decideStore(at);
}

async function decideNoSeries(at: Investigation): Promise<Named> {
  const slots = await at.ask(noSeries, 'Is the API there?');
  const down = await at.ask(noSeries, 'What can Prometheus not read?');
  const isBad = slots.samples.length > 0 && totalOf(slots.samples, { result: 'good' }) === 0;
  if (!isBad || !down.samples.some(isServer)) return 'unknown';
  const named = await decideNoServer(at, noSeries, 'What did the servers say last?');
  return named === 'none' ? 'unknown' : named;
}
