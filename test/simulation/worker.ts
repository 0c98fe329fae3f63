import type { Assignment, OutcomeKind, Settlement } from '../../src/core/messages.ts';
import type { Session, SessionSink } from '../../src/service/service.ts';
import type { Network } from './network.ts';
import type { SimNode } from './node.ts';
import { queues, tenant } from './submitter.ts';

const heartbeatMs = 10_000;
const slots = 3;
const fates: readonly OutcomeKind[] = [
  ...Array<OutcomeKind>(13).fill('succeeded'),
  ...Array<OutcomeKind>(4).fill('failed'),
  'snoozed',
  'snoozed',
  'fatal',
  'released',
];
/** Refusals after which nothing more is to be said of a lease. */
const final = new Set(['LEASE_LOST', 'OUTCOME_RECORDED', 'TASK_UNKNOWN', 'BAD_FIELD']);

/** A worker's stream and its handlers. A dead worker falls silent at once; its node may notice late or never. */
export class SimWorker {
  readonly #network: Network;
  readonly #name: string;
  #dead = false;
  #session: Session | undefined;
  #node: SimNode | undefined;
  #life = -1;

  constructor(network: Network, name: string) {
    this.#network = network;
    this.#name = name;
  }

  /** Keeps a stream open for as long as the worker lives. */
  async run(): Promise<void> {
    const { world } = this.#network;
    while (!this.#dead) {
      if (this.#session === undefined || this.#node?.life !== this.#life) {
        await world.clock.sleep(world.between(100, 3_000));
        this.#connect();
      }
      if (this.#session !== undefined && world.strikes('stream cut', 0.01)) this.#cut();
      await world.clock.sleep(1_000);
    }
  }

  die(): void {
    const { world } = this.#network;
    this.#dead = true;
    const session = this.#session;
    if (session !== undefined) world.clock.after(world.between(0, 40_000), () => session.close());
  }

  #cut(): void {
    this.#session?.close();
    this.#session = undefined;
  }

  #connect(): void {
    this.#session = undefined;
    this.#node = this.#network.node();
    const service = this.#node?.service;
    if (this.#dead || service === undefined) return;
    this.#life = this.#node?.life ?? -1;
    const workerId = `${this.#name}-${this.#life}`;
    const hello = {
      tenant,
      workerName: this.#name,
      workerId,
      queues,
      types: [{ type: 'job', maxVersion: 1 }],
    };
    const sink: SessionSink = {
      assign: (seq, tasks) => this.#network.world.begin(this.#assigned(session, seq, tasks)),
      cancel: () => {},
      drain: () => {},
    };
    const session: Session = service.openSession({ ...hello, tasks: slots, bytes: 1_048_576 }, sink);
    this.#session = session;
  }

  async #assigned(session: Session, seq: number, tasks: readonly Assignment[]): Promise<void> {
    const { world } = this.#network;
    if (world.strikes('lost assignment', 0.02)) return;
    await this.#network.travel();
    if (this.#dead) return;
    if (world.strikes('lost receipt', 0.05))
      world.clock.after(world.between(0, 3_000), () => session.close());
    else session.received(seq);
    for (const task of tasks) world.begin(this.#work(session, task));
  }

  async #work(session: Session, task: Assignment): Promise<void> {
    const { world } = this.#network;
    const long = world.chance(0.15);
    const durationMs = world.between(50, long ? 35_000 : 4_000);
    const deaf = world.strikes('ran on after its lease', 0.02);
    const endMs =
      world.elapsedMs + (deaf ? world.between(30_500, world.chance(0.6) ? 33_000 : 60_000) : durationMs);
    while (world.elapsedMs + heartbeatMs < endMs) {
      await world.clock.sleep(heartbeatMs);
      if (this.#dead) return;
      if (!deaf && !(await this.#heartbeat(task))) return session.credit(1, task.spec.length);
    }
    await world.clock.sleep(endMs - world.elapsedMs);
    if (deaf) await this.#catchUp(task);
    if (!this.#dead) await this.#settle(session, task);
  }

  /** A process that was held up sends the heartbeats that it owes, all at once. */
  async #catchUp(task: Assignment): Promise<void> {
    const { world } = this.#network;
    const owed = Array.from({ length: 8 }, async () => {
      await world.clock.sleep(world.between(0, 2_500));
      await this.#heartbeat(task);
    });
    await Promise.all(owed);
  }

  /** False: the work is to be left. */
  async #heartbeat({ lease }: Assignment): Promise<boolean> {
    const items = [{ lease, progress: undefined }];
    try {
      const [answer] = await this.#network.call((service) => service.heartbeat(items, { tenant }));
      return answer === undefined || answer.verdict === 'renewed' || answer.verdict === 'error';
    } catch {
      return true;
    }
  }

  async #settle(session: Session, { lease, attempt, spec }: Assignment): Promise<void> {
    const { world } = this.#network;
    const outcome = (attempt > 3 ? 'succeeded' : world.pick(fates)) ?? 'succeeded';
    const afterMs = outcome === 'snoozed' ? world.between(500, 20_000) : undefined;
    const item: Settlement = { lease, outcome, result: undefined, message: '', errorType: '', afterMs };
    const context = { tenant, sessionId: session.id };
    while (!this.#dead) {
      try {
        const answer = await this.#network.call((service) => service.settle([item], context));
        const [result] = answer.results;
        if (result?.error === undefined || final.has(result.error.reason)) {
          if (!answer.credited) session.credit(1, spec.length);
          return;
        }
      } catch {
        // Unknown: the same outcome is sent again.
      }
      await world.clock.sleep(world.between(200, 3_000));
    }
  }
}
