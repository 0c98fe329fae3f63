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
  isOver: boolean;
}

/**
 * Explains the unfinished tasks of some queues and groups those that are in trouble by their cause. The queues take turns, a
 * page each, so that a long one does not keep the others from being examined. No further page is begun once
 * `limits.troubleExplained` tasks are explained, `limits.troubleExamined` are examined, or `timing.troubleMs` has passed.
 *
 * @throws HoldfastError QUEUE_UNKNOWN if the queue that is named does not exist.
 */
export async function trouble(context: ServiceContext, request: TroubleRequest): Promise<TroubleView> {
  const { clock, store } = context;
  const { troubleExplained, troubleExamined, troubleLanes, troubleGroups, pageItems } = store.limits;
  const scans: QueueScan[] = (await settingsOf(context, request)).map((setting) => ({
    ...{ setting, cursor: undefined, examinedUntilMs: undefined, isOver: false },
  }));
  const facts = new FactReader(context);
  const groups = new TroubleGroups();
  for (const { setting } of scans) if (setting.paused) groups.addPausedQueue(setting.queue, setting.pause);
  const { throttle } = facts;
  if (throttle !== undefined) groups.addThrottle(throttle);
  let examined = 0;
  let explained = 0;
  let unexplained = 0;

  async function explainOne(read: Snapshot): Promise<void> {
    const snapshot = withReports(context, read);
    // The list may lag: the task may have ended since.
    if (isEnded(snapshot.head)) return;
    if (facts.needsLane(snapshot) && facts.lanes >= troubleLanes) {
      unexplained++;
      return;
    }
    const known = await facts.of(snapshot);
    explained++;
    groups.add(snapshot, explain(snapshot, known), known.nowMs);
  }

  async function readPage(scan: QueueScan): Promise<void> {
    const { tenant, queue } = scan.setting;
    const page = await store.list(
      { tenant, queue, state: 'unfinished' },
      { limit: pageItems, cursor: scan.cursor, nowMs: clock.now() },
    );
    examined += page.examined;
    scan.cursor = page.cursor;
    scan.examinedUntilMs = page.examinedUntilMs ?? scan.examinedUntilMs;
    scan.isOver = page.cursor === undefined;
    for (const read of page.items) await explainOne(read);
    // An embedded store reads its pages without a pause, and other calls must be served meanwhile.
    await new Promise<void>((resolve) => clock.soon(resolve));
  }

  const endMs = clock.monotonic() + timing.troubleMs;
  const isFull = (): boolean =>
    explained + unexplained >= troubleExplained || examined >= troubleExamined || clock.monotonic() >= endMs;
  for (let open = scans; open.length > 0 && !isFull(); open = open.filter(({ isOver }) => !isOver))
    for (const scan of open) if (!isFull()) await readPage(scan);

  const nowMs = clock.now();
  const all = groups.list(nowMs);
  return {
    groups: all.slice(0, troubleGroups),
    moreGroups: Math.max(0, all.length - troubleGroups),
    healthy: groups.healthy,
    ...{ examined, explained, unexplained },
    cutQueues: scans
      .filter(({ isOver }) => !isOver)
      .map(({ setting, examinedUntilMs }) => ({ queue: setting.queue, examinedUntilMs })),
    areWorkersComplete: await facts.areWorkersComplete,
    atMs: nowMs,
  };
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
