import { asHoldfastError } from '../../core/errors.ts';
import { explain } from '../../core/explain/explain.ts';
import { TroubleGroups } from '../../core/explain/trouble.ts';
import { timing } from '../../core/limits.ts';
import { isEnded } from '../../core/task/head.ts';
import type { Snapshot } from '../../ports/task-store.ts';
import type { QueueSetting } from '../admin/queue-settings.ts';
import type { ServiceContext } from '../context.ts';
import type { TroubleRequest, TroubleView } from '../service.ts';
import { withReports } from '../session/begun.ts';
import { FactReader } from './facts.ts';

/** A queue whose unfinished tasks are read page by page, newest first. */
interface QueueScan {
  readonly setting: QueueSetting;
  cursor: string | undefined;
  examinedUntilMs: number | undefined;
  /** `failed`: a task of the queue cannot be read, and the tasks behind it are not examined. */
  state: 'open' | 'over' | 'failed';
}

/**
 * Explains the unfinished tasks of some queues and groups those that are in trouble by their cause. The queues take turns, a
 * page each, so that a long one does not keep the others from being examined. No further page is begun once
 * `limits.troubleExplained` tasks are explained, `limits.troubleExamined` are examined, or `timing.troubleMs` has passed.
 */
class TroubleScan {
  readonly #context: ServiceContext;
  readonly #request: TroubleRequest;
  readonly #facts: FactReader;
  readonly #groups = new TroubleGroups();
  readonly #scans: readonly QueueScan[];
  readonly #endMs: number;
  #examined = 0;
  #explained = 0;
  #unexplained = 0;
  /** A dependency refused or failed a read, so that nothing more can be read. */
  #isStopped = false;

  constructor(context: ServiceContext, request: TroubleRequest, settings: readonly QueueSetting[]) {
    this.#context = context;
    this.#request = request;
    this.#facts = new FactReader(context);
    this.#endMs = context.clock.monotonic() + timing.troubleMs;
    const begin = { cursor: undefined, examinedUntilMs: undefined, state: 'open' } as const;
    this.#scans = settings.map((setting) => ({ setting, ...begin }));
  }

  async run(): Promise<TroubleView> {
    let open = this.#scans;
    while (open.length > 0 && !this.#isFull) {
      for (const scan of open) if (!this.#isFull) await this.#readPage(scan);
      open = open.filter(({ state }) => state === 'open');
    }
    return this.#view();
  }

  get #isFull(): boolean {
    const { store, clock } = this.#context;
    const { troubleExplained, troubleExamined } = store.limits;
    const found = this.#explained + this.#unexplained;
    const isOver = found >= troubleExplained || this.#examined >= troubleExamined;
    return this.#isStopped || isOver || clock.monotonic() >= this.#endMs;
  }

  /**
   * Reads a page of a queue and explains its tasks. If a dependency fails, that is the trouble to be listed. If a task is
   * damaged, the other queues are examined all the same.
   */
  async #readPage(scan: QueueScan): Promise<void> {
    const { store, clock } = this.#context;
    const { tenant, queue } = scan.setting;
    try {
      const page = await store.list(
        { tenant, queue, state: 'unfinished' },
        { limit: store.limits.pageItems, cursor: scan.cursor, nowMs: clock.now() },
      );
      this.#examined += page.examined;
      scan.cursor = page.cursor;
      scan.examinedUntilMs = page.examinedUntilMs ?? scan.examinedUntilMs;
      for (const read of page.items) await this.#explain(read);
      if (page.cursor === undefined) scan.state = 'over';
    } catch (thrown) {
      const { code, retryable } = asHoldfastError(thrown);
      if (retryable && this.#facts.throttle !== undefined) this.#isStopped = true;
      else if (code === 'DATA_LOSS' && this.#request.queue === undefined) scan.state = 'failed';
      else throw thrown;
    }
    // An embedded store reads its pages without a pause, and other calls must be served meanwhile.
    await new Promise<void>((resolve) => clock.soon(resolve));
  }

  async #explain(read: Snapshot): Promise<void> {
    const snapshot = withReports(this.#context, read);
    // The list may lag: the task may have ended since.
    if (isEnded(snapshot.head)) return;
    const { troubleLanes } = this.#context.store.limits;
    if (this.#facts.needsLane(snapshot) && this.#facts.lanes >= troubleLanes) {
      this.#unexplained++;
      return;
    }
    const known = await this.#facts.of(snapshot);
    this.#explained++;
    this.#groups.add(snapshot, explain(snapshot, known), known.nowMs);
  }

  async #view(): Promise<TroubleView> {
    const { clock, store, overload } = this.#context;
    const { troubleGroups } = store.limits;
    for (const { setting } of this.#scans)
      if (setting.paused) this.#groups.addPausedQueue(setting.queue, setting.pause);
    const { throttle, fullStore } = this.#facts;
    if (fullStore !== undefined) this.#groups.addFullStore(fullStore);
    if (throttle !== undefined) this.#groups.addThrottle(throttle);
    const atMs = clock.now();
    const all = this.#groups.list(atMs);
    const cut = this.#scans.filter(({ state }) => state !== 'over');
    return {
      groups: all.slice(0, troubleGroups),
      moreGroups: Math.max(0, all.length - troubleGroups),
      healthy: this.#groups.healthy,
      ...{ examined: this.#examined, explained: this.#explained, unexplained: this.#unexplained },
      cutQueues: cut.map(({ setting, examinedUntilMs }) => ({ queue: setting.queue, examinedUntilMs })),
      areWorkersComplete: await this.#facts.areWorkersComplete,
      // Only an engine that calls AWS has a guard against its overload.
      areReadsBilled: overload !== undefined,
      atMs,
    };
  }
}

/**
 * Lists the trouble of one queue, or of all queues that the caller may read.
 *
 * @throws HoldfastError QUEUE_UNKNOWN if the queue that is named does not exist.
 */
export async function trouble(context: ServiceContext, request: TroubleRequest): Promise<TroubleView> {
  return new TroubleScan(context, request, await settingsOf(context, request)).run();
}

async function settingsOf(
  { queues }: ServiceContext,
  { tenant, queue, mayRead }: TroubleRequest,
): Promise<readonly QueueSetting[]> {
  if (queue === undefined) return queues.ofTenant(tenant).filter((setting) => mayRead(setting.queue));
  const ref = { tenant, queue };
  if (!queues.has(ref)) await queues.refresh();
  if (!queues.has(ref)) throw queues.unknownQueue(ref);
  return [queues.of(ref)];
}
