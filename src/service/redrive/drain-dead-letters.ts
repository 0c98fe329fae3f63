import { HoldfastError } from '../../core/errors.ts';
import type { DeadLetter, DeadLetters } from '../../ports/dead-letters.ts';
import type { QueueRef } from '../../ports/task-store.ts';
import type { ServiceContext } from '../context.ts';
import { messageOf } from '../hand-over.ts';
import type { DrainDeadLettersRequest, DrainedDeadLetters } from '../service.ts';
import { type Judged, judgeAll, type Verdict } from './dead-letter-verdicts.ts';

/** Longer than it takes to look through a queue; whoever is killed meanwhile leaves them hidden for so long. */
const hiddenMs = 15 * 60_000;
/** Looked at together. */
const roundLetters = 40;
const mostUnreadableIds = 100;
const stayHidden = 'dead letters stay hidden; they come back by themselves';

/**
 * Looks through the dead-letter queues of a tenant and drops what is no longer true: notices of tasks that are not dead
 * any more. What belongs to an unfinished task may be its last bell, so that is rung first. Whatever becomes of the
 * drain, nothing is lost: what was received comes back by itself.
 *
 * @throws HoldfastError FAILED_PRECONDITION, NOT_BUILT: this engine has none; NOT_FOUND, QUEUE_UNKNOWN.
 */
export async function drainDeadLetters(
  context: ServiceContext,
  request: DrainDeadLettersRequest,
): Promise<readonly DrainedDeadLetters[]> {
  const { deadLetters } = context;
  if (deadLetters === undefined) throw noDeadLetters();
  const drained: DrainedDeadLetters[] = [];
  for (const queue of await queuesOf(context, request)) {
    if (request.signal.aborted) break;
    drained.push(await new Drain(context, deadLetters, queue, request).run());
  }
  return drained;
}

/** All names are known before anything is done. */
async function queuesOf(
  { queues }: ServiceContext,
  { tenant, queues: names }: DrainDeadLettersRequest,
): Promise<QueueRef[]> {
  const asked = [...new Set(names)].map((queue) => ({ tenant, queue }));
  if (asked.some((queue) => !queues.has(queue))) await queues.refresh();
  for (const queue of asked) if (!queues.has(queue)) throw queues.unknown(queue);
  if (asked.length > 0) return asked;
  const all = queues.ofTenant(tenant).map(({ queue }) => ({ tenant, queue }));
  if (all.length === 0) throw noQueues(tenant);
  return all;
}

class Drain {
  readonly #context: ServiceContext;
  readonly #deadLetters: DeadLetters;
  readonly #queue: QueueRef;
  readonly #request: DrainDeadLettersRequest;
  /** Handles of what was received and is still there, by message. */
  readonly #held = new Map<string, string>();
  readonly #counts: Record<Verdict, number> = { kept: 0, dropped: 0, sent: 0, unreadable: 0 };
  readonly #unreadableIds: string[] = [];
  #examined = 0;

  constructor(
    context: ServiceContext,
    deadLetters: DeadLetters,
    queue: QueueRef,
    request: DrainDeadLettersRequest,
  ) {
    this.#context = context;
    this.#deadLetters = deadLetters;
    this.#queue = queue;
    this.#request = request;
  }

  async run(): Promise<DrainedDeadLetters> {
    const { limit, signal } = this.#request;
    let isComplete = false;
    try {
      while (!isComplete && !signal.aborted && this.#examined < limit) {
        const most = Math.min(roundLetters, limit - this.#examined);
        const letters = await this.#deadLetters.receive(this.#queue, most, hiddenMs);
        const fresh = letters.filter(({ messageId }) => !this.#held.has(messageId));
        for (const { messageId, receiptHandle } of letters) this.#held.set(messageId, receiptHandle);
        await this.#round(fresh);
        isComplete = letters.length === 0;
        // The first ones are not hidden any more: to go on would be to go round.
        if (fresh.length < letters.length) break;
      }
    } finally {
      await this.#giveBack();
    }
    const unreadableIds = this.#unreadableIds;
    return { ...this.#queue, examined: this.#examined, ...this.#counts, unreadableIds, isComplete };
  }

  async #round(letters: readonly DeadLetter[]): Promise<void> {
    const judged = await judgeAll(this.#context, letters);
    const done = this.#request.dryRun ? judged : await this.#act(judged);
    for (const { letter, verdict } of done) {
      this.#examined++;
      this.#counts[verdict]++;
      if (verdict === 'unreadable' && this.#unreadableIds.length < mostUnreadableIds)
        this.#unreadableIds.push(letter.messageId);
    }
  }

  /** Rings first, and drops only what was rung. What could not be done is kept. */
  async #act(judged: readonly Judged[]): Promise<Judged[]> {
    const unsent = await this.#resendAll(judged.filter(({ verdict }) => verdict === 'sent'));
    const going = judged.filter((one) => this.#goes(one) && !unsent.has(one));
    const dropped = await this.#deadLetters.drop(going.map(({ letter }) => letter.receiptHandle));
    const gone = new Set(going.filter((_, i) => dropped[i] === true));
    for (const { letter } of gone) this.#held.delete(letter.messageId);
    return judged.map((one) =>
      gone.has(one) || one.verdict === 'unreadable' ? one : { ...one, verdict: 'kept' as const },
    );
  }

  #goes({ verdict }: Judged): boolean {
    if (verdict === 'unreadable') return this.#request.dropUnreadable;
    return verdict !== 'kept';
  }

  /** Those that could not be rung. */
  async #resendAll(judged: readonly Judged[]): Promise<ReadonlySet<Judged>> {
    const { broker, log } = this.#context;
    const messages = judged.flatMap(({ snapshot }) =>
      snapshot === undefined ? [] : [messageOf(snapshot, snapshot.head.version, 'again')],
    );
    const sent = messages.length === 0 ? [] : await broker.send(messages);
    const failed = judged.filter((_, i) => sent[i] !== true);
    for (const one of failed) {
      const fields = { err: sent[judged.indexOf(one)], task_id: one.snapshot?.id, queue: this.#queue.queue };
      log.warn(fields, 'the bell of a dead letter could not be rung; the letter is kept');
    }
    return new Set(failed);
  }

  /** Where that fails they come back by themselves. */
  async #giveBack(): Promise<void> {
    const receiptHandles = [...this.#held.values()];
    const { log } = this.#context;
    try {
      const back = await this.#deadLetters.giveBack(receiptHandles);
      const left = back.filter((one) => !one).length;
      if (left > 0) log.warn({ queue: this.#queue.queue, left, hidden_ms: hiddenMs }, stayHidden);
    } catch (err) {
      log.warn(
        { err, queue: this.#queue.queue, left: receiptHandles.length, hidden_ms: hiddenMs },
        stayHidden,
      );
    }
  }
}

function noDeadLetters(): HoldfastError {
  return new HoldfastError('FAILED_PRECONDITION', 'NOT_BUILT', 'This store has no dead-letter queues.', {
    help: 'What is dead is listed: `holdfast list --state dead`.',
  });
}

function noQueues(tenant: string): HoldfastError {
  return new HoldfastError('NOT_FOUND', 'QUEUE_UNKNOWN', `Tenant '${tenant}' has no queues.`, {
    help: 'Check the name. To make a queue: `holdfast aws init --queue <name>`.',
  });
}
