/**
 * What every demo shares: 329 real webhooks, each submitted twice under one key, a receiver that misbehaves, and the
 * closing table, which compares the receiver's ledger with the server's events.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ClientTls, connect } from 'holdfast';
import { type Audit, audit } from './audit.ts';
import { type Delivery, deliver } from './contract.ts';
import { payloads } from './payloads.ts';
import { type Receiver, startReceiver } from './receiver.ts';

export interface DemoOptions {
  readonly url: string;
  readonly tls: ClientTls;
  /** How long it may take until all have ended. */
  readonly limitMs: number;
  /** Default: all. */
  readonly sent?: readonly Delivery[] | undefined;
}

export interface Total extends Audit {
  readonly submitted: number;
  /** Tasks. */
  readonly accepted: number;
  /** Submissions that became no task of their own. */
  readonly deduplicated: number;
}

/** Submissions under way at one time, beside the ordered ones. */
const besides = 3;
const barWidth = 30;
const lookMs = 200;
const busyLookMs = 5;

export class Demo {
  readonly sent: readonly Delivery[];
  readonly receiver: Receiver;
  readonly #dir: string;
  readonly #options: DemoOptions;
  readonly #holdfast: ReturnType<typeof connect>;
  readonly #ids = new Map<string, string>();
  #accepted = 0;
  #deduplicated = 0;

  private constructor(options: DemoOptions, dir: string, receiver: Receiver) {
    this.#options = options;
    this.sent = options.sent ?? payloads();
    this.#dir = dir;
    this.receiver = receiver;
    this.#holdfast = connect(options.url, { tls: options.tls });
  }

  static async open(options: DemoOptions): Promise<Demo> {
    const dir = mkdtempSync(join(tmpdir(), 'holdfast-demo-'));
    return new Demo(options, dir, await startReceiver(ledgerIn(dir)));
  }

  /** What a worker's process needs to know. */
  workerEnv(name: string): Readonly<Record<string, string>> {
    return { RECEIVER_URL: this.receiver.url, WORKER_NAME: name };
  }

  /** Resolves when that worker has a delivery in its hands: a good moment to kill it. */
  async untilBusy(name: string, limitMs = 3_000): Promise<void> {
    const untilMs = performance.now() + limitMs;
    while (this.receiver.inHands(name) === 0 && performance.now() < untilMs) await sleep(busyLookMs);
  }

  /** Once. Lanes keep the order of commits, so what is ordered is submitted one after the other; the rest at its side. */
  async submitAll(): Promise<void> {
    const flows: Delivery[][] = Array.from({ length: 1 + besides }, () => []);
    for (const [i, delivery] of this.sent.entries()) {
      flows[delivery.lane === '' ? 1 + (i % besides) : 0]?.push(delivery);
    }
    await Promise.all(
      flows.map(async (flow) => {
        for (const delivery of flow) await this.#submit(delivery);
      }),
    );
  }

  async submitTwice(): Promise<void> {
    for (let time = 0; time < 2; time++) await this.submitAll();
  }

  /** Waits until every task has ended, or its time is over. */
  async untilDone(): Promise<void> {
    const untilMs = performance.now() + this.#options.limitMs;
    const open = new Set(this.#ids.values());
    while (open.size > 0 && performance.now() < untilMs) {
      for (const id of open) {
        const { state } = await this.#holdfast.get(id);
        if (state === 'succeeded' || state === 'dead' || state === 'cancelled') open.delete(id);
        this.#bar(this.#ids.size - open.size);
      }
      if (open.size > 0) await sleep(lookMs);
    }
    if (process.stdout.isTTY) process.stdout.write('\n');
  }

  async total(): Promise<Total> {
    const found = await audit(this.#holdfast, this.#ids, this.sent, ledgerIn(this.#dir));
    const submitted = this.sent.length * 2;
    return { submitted, accepted: this.#accepted, deduplicated: this.#deduplicated, ...found };
  }

  async close(): Promise<void> {
    await this.#holdfast.close();
    this.receiver.close();
    rmSync(this.#dir, { recursive: true, force: true });
  }

  async #submit(input: Delivery): Promise<void> {
    const orderingKey = input.lane === '' ? undefined : input.lane;
    const task = await this.#holdfast.submit(deliver, input, { orderingKey });
    const known = this.#ids.get(input.delivery);
    if (known !== undefined && known !== task.id) throw new Error(`${input.delivery} became two tasks`);
    // Accepted by a server that was killed before it answered, and known to the one that was asked again.
    if (known === undefined || !task.deduplicated) this.#accepted++;
    else this.#deduplicated++;
    this.#ids.set(input.delivery, task.id);
  }

  #bar(done: number): void {
    if (!process.stdout.isTTY) return;
    const all = this.sent.length;
    const filled = Math.round((done / all) * barWidth);
    process.stdout.write(`\r${'█'.repeat(filled)}${'░'.repeat(barWidth - filled)} ${done}/${all}`);
  }
}

function ledgerIn(dir: string): string {
  return join(dir, 'ledger.jsonl');
}

/** Prints the closing table; the answer is the exit status: 0 only where nothing was lost, doubled or out of order. */
export function report(total: Total, { misbehaved }: Receiver): number {
  const { unavailable, hung, reset } = misbehaved;
  console.log(
    `the receiver answered 503 ${unavailable} times, hung ${hung} times, reset ${reset} connections`,
  );
  for (const [name, value] of Object.entries(total))
    console.log(`${name.padEnd(14)} ${String(value).padStart(6)}`);
  const { submitted, accepted, deduplicated, succeeded, dead, outOfOrder, lost } = total;
  console.log(
    `demo: submitted=${submitted} accepted=${accepted} deduplicated=${deduplicated} succeeded=${succeeded} dead=${dead} outOfOrder=${outOfOrder} lost=${lost}`,
  );
  return lost === 0 && accepted * 2 === submitted && outOfOrder === 0 ? 0 : 1;
}
