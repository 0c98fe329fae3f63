import type { HoldfastError } from '../core/errors.ts';
import { limits, timing } from '../core/limits.ts';
import type { Assignment } from '../core/messages.ts';
import type { QueueRef } from '../ports/task-store.ts';
import type { ServiceContext } from './context.ts';
import { hear } from './hear.ts';
import type { ClaimRequest } from './service.ts';
import { releaseUnheard } from './settle.ts';

/** Answers of the last minute by request id, so that a caller whose answer was lost gets the same assignments. */
export class RecentClaims {
  readonly #answers = new Map<
    string,
    { readonly atMs: number; readonly answer: Promise<readonly Assignment[]> }
  >();

  async once(
    key: string,
    nowMs: number,
    run: () => Promise<readonly Assignment[]>,
  ): Promise<readonly Assignment[]> {
    this.#forget(nowMs);
    const known = this.#answers.get(key);
    if (known !== undefined) return known.answer;
    const answer = run();
    this.#answers.set(key, { atMs: nowMs, answer });
    answer.catch(() => this.#answers.delete(key));
    return answer;
  }

  #forget(nowMs: number): void {
    for (const [key, { atMs }] of this.#answers) {
      if (nowMs - atMs < timing.claimRepeatMs && this.#answers.size <= limits.inFlightTasks) break;
      this.#answers.delete(key);
    }
  }
}

async function claimOnce(context: ServiceContext, request: ClaimRequest): Promise<readonly Assignment[]> {
  const { tenant, workerName, workerId, types, maxTasks, waitMs, signal } = request;
  const queues: QueueRef[] = [];
  for (const queue of request.queues) {
    await context.queues.ensure({ tenant, queue });
    if (!context.queues.of({ tenant, queue }).paused) queues.push({ tenant, queue });
  }
  if (queues.length === 0) return [];
  const room = (): { tasks: number; bytes: number } => ({
    tasks: maxTasks,
    bytes: limits.wireMessageBytes / 2,
  });
  const bells = await context.bells.receive(queues, { types, room, waitMs, signal });
  if (bells.length === 0) return [];
  const lost = (error: HoldfastError): void => request.lost?.(error);
  return hear(context, bells, { worker: `${workerName}/${workerId}`, types, sessionId: undefined, lost });
}

/** For workers that ask instead of holding a stream. Where the caller went away meanwhile, it is all released. */
export async function claim(
  context: ServiceContext,
  recent: RecentClaims,
  request: ClaimRequest,
): Promise<readonly Assignment[]> {
  const run = (): Promise<readonly Assignment[]> => claimOnce(context, request);
  // The queues too: whoever may claim from one must not be answered with what another got from the next.
  const key = [request.tenant, request.workerId, ...request.queues, request.requestId].join('/');
  const assigned = request.requestId === '' ? await run() : await recent.once(key, context.clock.now(), run);
  if (!request.signal.aborted || request.requestId !== '') return assigned;
  context.background('release', releaseUnheard(context, assigned));
  return [];
}
