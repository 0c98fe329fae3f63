/**
 * `npm run demo`: 329 real webhooks, each submitted twice under one key, delivered to a receiver that misbehaves by three
 * worker processes over mutual TLS, one of which is killed. The closing table compares the receiver's ledger with the
 * server's events.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from 'holdfast';
import { startServer } from '../../test/rig/server-process.ts';
import { audit } from './audit.ts';
import { deliver } from './contract.ts';
import { payloads } from './payloads.ts';
import { startReceiver } from './receiver.ts';

const workers = 3;
const killAfterMs = 700;
const limitMs = 55_000;
const barWidth = 30;

const dir = mkdtempSync(join(tmpdir(), 'holdfast-demo-'));
const ledgerFile = join(dir, 'ledger.jsonl');
const children: ChildProcess[] = [];
const server = await startServer();
const receiver = await startReceiver(ledgerFile);
const holdfast = connect(`holdfast://${server.address}`, { tls: server.tls });
const sent = payloads();

async function startWorker(): Promise<ChildProcess> {
  const main = new URL('../../src/cli/main.ts', import.meta.url).pathname;
  const module = new URL('./worker.ts', import.meta.url).pathname;
  const { ca, cert, key } = server.tls;
  const env = {
    ...process.env,
    HOLDFAST_URL: `holdfast://${server.address}`,
    HOLDFAST_CA: ca,
    HOLDFAST_CERT: cert,
    HOLDFAST_KEY: key,
    HOLDFAST_LOG: 'fatal',
    RECEIVER_URL: receiver.url,
  };
  const child = spawn(process.execPath, [main, 'worker', module], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  await once(child.stdout as NodeJS.ReadableStream, 'data');
  return child;
}

/** Submits everything once more under the same keys; how many were new, and how many known. */
async function submitAll(ids: Map<string, string>): Promise<{ accepted: number; deduplicated: number }> {
  let accepted = 0;
  let deduplicated = 0;
  for (const input of sent) {
    const orderingKey = input.lane === '' ? undefined : input.lane;
    // Lanes keep the order of commits, so what is ordered is submitted one after the other.
    const task = await holdfast.submit(deliver, input, { orderingKey });
    if (task.deduplicated) deduplicated++;
    else accepted++;
    const known = ids.get(input.delivery);
    if (known !== undefined && known !== task.id) throw new Error(`${input.delivery} became two tasks`);
    ids.set(input.delivery, task.id);
  }
  return { accepted, deduplicated };
}

function bar(done: number): void {
  if (!process.stdout.isTTY) return;
  const filled = Math.round((done / sent.length) * barWidth);
  process.stdout.write(`\r${'█'.repeat(filled)}${'░'.repeat(barWidth - filled)} ${done}/${sent.length}`);
}

async function untilDone(ids: ReadonlyMap<string, string>): Promise<void> {
  const untilMs = performance.now() + limitMs;
  const open = new Set(ids.values());
  while (open.size > 0 && performance.now() < untilMs) {
    for (const id of open) {
      const { state } = await holdfast.get(id);
      if (state === 'succeeded' || state === 'dead' || state === 'cancelled') open.delete(id);
      bar(ids.size - open.size);
    }
    await sleep(200);
  }
  if (process.stdout.isTTY) process.stdout.write('\n');
}

const ids = new Map<string, string>();
const first = await submitAll(ids);
const second = await submitAll(ids);
console.log(`${sent.length} payloads submitted twice; ${workers} workers start, one is killed with SIGKILL`);
const [victim] = await Promise.all(Array.from({ length: workers }, startWorker));
await sleep(killAfterMs);
victim?.kill('SIGKILL');
await untilDone(ids);
const found = await audit(holdfast, ids, sent, ledgerFile);
await holdfast.close();
for (const child of children) {
  if (child.exitCode !== null || child.signalCode !== null) continue;
  const gone = once(child, 'exit');
  child.kill('SIGTERM');
  await gone;
}
receiver.close();
await server.stop();
rmSync(dir, { recursive: true, force: true });

const { unavailable, hung, reset } = receiver.misbehaved;
const total = {
  submitted: sent.length * 2,
  accepted: first.accepted + second.accepted,
  deduplicated: first.deduplicated + second.deduplicated,
  ...found,
};
console.log(`the receiver answered 503 ${unavailable} times, hung ${hung} times, reset ${reset} connections`);
for (const [name, value] of Object.entries(total))
  console.log(`${name.padEnd(14)} ${String(value).padStart(6)}`);
const { submitted, accepted, deduplicated, succeeded, dead, outOfOrder, lost } = total;
console.log(
  `demo: submitted=${submitted} accepted=${accepted} deduplicated=${deduplicated} succeeded=${succeeded} dead=${dead} outOfOrder=${outOfOrder} lost=${lost}`,
);
process.exit(lost === 0 && accepted === sent.length && outOfOrder === 0 ? 0 : 1);
