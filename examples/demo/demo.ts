/**
 * The common part of the demos. It submits 329 real webhooks twice each, with the same key, to a receiver that
 * misbehaves, and at the end prints a table that compares the deliveries that the receiver recorded with the server's
 * task events.
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

/** Options of `Demo.open`. */
export interface DemoOptions {
  readonly url: string;
  readonly tls: ClientTls;
  /** The longest wait for the end of all tasks, in ms. */
  readonly limitMs: number;
  /** The webhooks to submit. Default: all 329. */
  readonly sent?: readonly Delivery[] | undefined;
}

/** The rows of the table that the demo prints at its end. */
export interface DemoTotals extends Audit {
  readonly submitted: number;
  /** The number of tasks that the submissions created. */
  readonly accepted: number;
  /** The number of submissions that were answered with an existing task. */
  readonly deduplicated: number;
}

/** The number of loops that submit unordered webhooks, in addition to the one loop for ordered webhooks. */
const unorderedFlows = 3;
const barWidth = 30;
const pollMs = 200;
const busyPollMs = 5;

/** A run of the demo: the receiver, the client, and the webhooks it has submitted. */
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

  /** Returns the environment variables of a worker process. */
  workerEnv(name: string): Readonly<Record<string, string>> {
    return { RECEIVER_URL: this.receiver.url, WORKER_NAME: name };
  }

  /** Resolves when the worker has a delivery in flight, so that killing it then interrupts work. */
  async untilBusy(name: string, limitMs = 3_000): Promise<void> {
    const untilMs = performance.now() + limitMs;
    while (this.receiver.deliveriesInFlight(name) === 0 && performance.now() < untilMs)
      await sleep(busyPollMs);
  }

  /**
   * Submits all webhooks once. Ordered webhooks are submitted one after the other, because the order of their commits
   * is the order in which they must run. The unordered ones are submitted concurrently.
   */
  async submitAll(): Promise<void> {
    const flows: Delivery[][] = Array.from({ length: 1 + unorderedFlows }, () => []);
    for (const [i, delivery] of this.sent.entries()) {
      flows[delivery.lane === '' ? 1 + (i % unorderedFlows) : 0]?.push(delivery);
    }
    await Promise.all(
      flows.map(async (flow) => {
        for (const delivery of flow) await this.#submit(delivery);
      }),
    );
  }

  /** Submits all webhooks twice, one round after the other. */
  async submitTwice(): Promise<void> {
    for (let time = 0; time < 2; time++) await this.submitAll();
  }

  /** Waits until every task has ended or the time limit is over. */
  async untilDone(): Promise<void> {
    const untilMs = performance.now() + this.#options.limitMs;
    const open = new Set(this.#ids.values());
    while (open.size > 0 && performance.now() < untilMs) {
      for (const id of open) {
        const { state } = await this.#holdfast.get(id);
        if (state === 'succeeded' || state === 'dead' || state === 'cancelled') open.delete(id);
        this.#bar(this.#ids.size - open.size);
      }
      if (open.size > 0) await sleep(pollMs);
    }
    if (process.stdout.isTTY) process.stdout.write('\n');
  }

  /** Audits the run of the demo and returns the rows of the table that is printed at its end. */
  async total(): Promise<DemoTotals> {
    const counts = await audit(this.#holdfast, this.#ids, this.sent, ledgerIn(this.#dir));
    const submitted = this.sent.length * 2;
    return { submitted, accepted: this.#accepted, deduplicated: this.#deduplicated, ...counts };
  }

  async close(): Promise<void> {
    await this.#holdfast.close();
    this.receiver.close();
    rmSync(this.#dir, { recursive: true, force: true });
  }

  async #submit(input: Delivery): Promise<void> {
    const orderingKey = input.lane === '' ? undefined : input.lane;
    const task = await this.#holdfast.submit(deliver, input, { orderingKey });
    const firstId = this.#ids.get(input.delivery);
    if (firstId !== undefined && firstId !== task.id) throw new Error(`${input.delivery} became two tasks`);
    // A first submission may be deduplicated: a server accepted it and was killed before it answered, and the client
    // sent it again.
    if (firstId === undefined || !task.deduplicated) this.#accepted++;
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

/** The rows of the table at the end, in their order, each with a sentence for a reader who sees it for the first time. */
const meanings: Readonly<Record<keyof DemoTotals, string>> = {
  submitted: 'every webhook twice',
  accepted: 'each webhook once',
  deduplicated: 'the second submissions, which returned the same task',
  succeeded: 'tasks whose webhook was delivered',
  dead: 'tasks whose attempts all failed',
  attempts: 'claims by workers: tasks that failed, or were at the killed worker, have several',
  leasesLost: 'claims whose worker renewed them no more, so that the tasks ran elsewhere',
  deliveries: 'requests that the receiver recorded; repeated ones carry the same key',
  outOfOrder: 'webhooks delivered after a later one with the same ordering key',
  lost: 'accepted tasks without an end, or that succeeded without a delivery',
};

/**
 * Prints the table at the end of the demo and returns the exit status: 0 if no task was lost, duplicated or out of
 * order, otherwise 1.
 */
export function report(total: DemoTotals, { misbehaved }: Receiver): number {
  const { unavailable, hung, reset } = misbehaved;
  console.log(
    `the receiver answered 503 ${unavailable} times, hung ${hung} times, reset ${reset} connections`,
  );
  for (const [name, meaning] of Object.entries(meanings))
    console.log(`${name.padEnd(14)} ${String(total[name as keyof DemoTotals]).padStart(6)}  ${meaning}`);
  const { submitted, accepted, deduplicated, succeeded, dead, outOfOrder, lost } = total;
  console.log(
    `demo: submitted=${submitted} accepted=${accepted} deduplicated=${deduplicated} succeeded=${succeeded} dead=${dead} outOfOrder=${outOfOrder} lost=${lost}`,
  );
  return lost === 0 && accepted * 2 === submitted && outOfOrder === 0 ? 0 : 1;
}
