import { explain } from '../../../src/core/explain/explain.ts';
import type { Verdict, VerdictCode } from '../../../src/core/explain/verdict.ts';
import { isEnded } from '../../../src/core/task/head.ts';
import type { Clock } from '../../../src/ports/clock.ts';
import { silentLog } from '../../../src/ports/log.ts';
import type { Snapshot } from '../../../src/ports/task-store.ts';
import type { ServiceContext } from '../../../src/service/context.ts';
import { createService } from '../../../src/service/create-service.ts';
import { factsFor } from '../../../src/service/explain/facts.ts';
import { seededRandom } from '../../../src/testing/random.ts';
import type { World } from '../world.ts';
import type { ShadowTask } from './shadow-task.ts';
import { reportViolation } from './violation.ts';

/** The time in ms between two looks, and the number of tasks that are explained at each. */
const everyMs = 2_000;
const perLook = 4;
/**
 * The time in ms after which a wrong verdict must be right. The facts are read one after the other, and a list of a lane's
 * places may show a commit in part for a second.
 */
const rightAfterMs = 2_000;

const ofLane: readonly VerdictCode[] = ['LANE_WAITS', 'LANE_HELD_BY_DEAD'];
const ofWaits: readonly VerdictCode[] = ['NOT_DUE', 'BACKOFF', 'SNOOZED'];
const ofEnds: Readonly<Record<string, readonly VerdictCode[]>> = {
  succeeded: ['SUCCEEDED'],
  cancelled: ['CANCELLED'],
  dead: ['DEAD_ATTEMPTS', 'DEAD_FATAL', 'DEAD_DEADLINE', 'DEAD_LIFETIME', 'DEAD_WORKER_LOST'],
};

/**
 * Explains tasks now and then by a process of its own that no fault concerns, and compares the verdicts with the causes that
 * the simulated cluster knows: the operator's pauses, the order of the lanes, the waits and the leases. The process has random
 * numbers of its own, so that it changes nothing else in the cluster.
 */
export class VerdictsWatch {
  readonly #world: World;
  readonly #random: () => number;
  #context: ServiceContext | undefined;
  #nextMs = 0;
  /** The tasks whose last verdict was wrong. */
  #doubtful: readonly { readonly task: ShadowTask; readonly atMs: number }[] = [];

  constructor(world: World) {
    this.#world = world;
    this.#random = seededRandom(world.seed + 4_711);
  }

  async check(): Promise<void> {
    const { elapsedMs, shadow } = this.#world;
    if (elapsedMs < this.#nextMs) return;
    this.#nextMs = elapsedMs + everyMs;
    this.#context ??= await this.#connect();
    await this.#context.queues.refresh();
    const again = this.#doubtful.filter(({ atMs }) => elapsedMs >= atMs + rightAfterMs);
    this.#doubtful = this.#doubtful.filter((one) => !again.includes(one));
    for (const { task } of again) await this.#explain(this.#context, task, true);
    const tasks = [...shadow.tasks.values()];
    const unfinished = tasks.filter(({ folded }) => !isEnded(folded));
    for (let i = 0; i < perLook; i++) {
      const among = i === 0 ? tasks : unfinished;
      const task = among[Math.floor(this.#random() * among.length)];
      if (task !== undefined) await this.#explain(this.#context, task, false);
    }
  }

  async #connect(): Promise<ServiceContext> {
    const { clock: virtual, engine, seed } = this.#world;
    const clock: Clock = {
      now: () => virtual.now(),
      machineNow: () => virtual.now(),
      monotonic: () => virtual.monotonic(),
      sleep: (ms, signal) => virtual.sleep(ms, signal),
      after: (ms, run) => virtual.after(ms, run),
      soon: (run) => virtual.soon(run),
      random: this.#random,
      uuid: () => `explainer-${seed}`,
      secret: () => '',
    };
    const { store, ...others } = engine.connect('explainer');
    const shared = { ...store, can: { ...store.can, sharedWriters: true } };
    const options = {
      ...others,
      store: shared,
      node: 'explainer',
      clock,
      log: silentLog,
      createQueues: true,
    };
    return (await createService(options)).context;
  }

  async #explain(context: ServiceContext, task: ShadowTask, isSecond: boolean): Promise<void> {
    const [snapshot] = await context.store.read([task.id], context.clock.now());
    if (snapshot === undefined) return;
    const verdict = explain(snapshot, await factsFor(context, snapshot));
    this.#world.tally.countEvent(`verdict ${verdict.code}`);
    const wrong = this.#fault(task, snapshot, verdict);
    if (wrong !== undefined && !isSecond)
      this.#doubtful = [...this.#doubtful, { task, atMs: this.#world.elapsedMs }];
    else if (wrong !== undefined)
      reportViolation(
        this.#world.rules,
        'verdictNamesTheCause',
        `${task.id} is ${verdict.code}, but ${wrong}`,
      );
  }

  /** Returns what the simulation knows to be the case if the verdict contradicts it. */
  #fault(task: ShadowTask, { head, tip }: Snapshot, { code, evidence }: Verdict): string | undefined {
    const nowMs = this.#world.clock.now();
    const expects = (codes: readonly VerdictCode[] | undefined, what: string): string | undefined =>
      codes?.includes(code) === true ? undefined : what;
    if (isEnded(head)) return expects(ofEnds[head.state], `it is ${head.state}`);
    if (head.state === 'running') {
      if ((head.leaseEndAtMs ?? 0) <= nowMs) return expects(['LEASE_LOST'], 'its lease is over');
      if (head.cancelRequested) return expects(['CANCEL_ASKED'], 'its cancellation was requested');
      return evidence.worker === head.worker ? undefined : `${head.worker} runs it`;
    }
    if ((head.waitUntilMs ?? 0) > nowMs) {
      if (tip.at(-1)?.kind === 'snoozed') return expects(['SNOOZED'], 'it was snoozed');
      if (head.retrying) return expects(['BACKOFF'], 'it has failed');
      return expects(ofWaits, 'it waits for a time');
    }
    const { scope } = task.submission;
    // A resume whose answer was lost may take effect after a later pause.
    if (this.#world.paused.has(scope.queue) && this.#context?.queues.of(scope).paused === true)
      return expects(['QUEUE_PAUSED'], 'its queue is paused');
    if (code === 'QUEUE_PAUSED') return undefined;
    const front = this.#frontOf(task);
    if (front === undefined) return undefined;
    if (front === task) return ofLane.includes(code) ? 'it is the first of its lane' : undefined;
    return (
      expects(ofLane, `it waits behind ${front.id}`) ?? this.#namesFront(front, evidence.blockedByTaskId)
    );
  }

  #namesFront({ id }: ShadowTask, named: string | number | undefined): string | undefined {
    return named === id ? undefined : `it waits behind ${id}, not behind ${named}`;
  }

  /** Returns the first task of the task's lane; undefined if it has no lane, or if the lane is just handed over. */
  #frontOf({ lane }: ShadowTask): ShadowTask | undefined {
    if (lane === undefined) return undefined;
    const all = [...this.#world.shadow.tasks.values()].filter((other) => other.lane === lane);
    if (all.some(({ head }) => head.handOver)) return undefined;
    const unfinished = all.filter(({ head }) => !isEnded(head) || head.holdsLane);
    return unfinished.toSorted((one, other) => one.laneSeq - other.laneSeq)[0];
  }
}
