import { HoldfastError } from '../../core/errors.ts';
import type { QueueRef } from '../../core/queue-ref.ts';
import type { DeadLetter, DeadLetters } from '../../ports/dead-letters.ts';
import { taskFields } from '../../ports/task-fields.ts';
import type { ServiceContext } from '../context.ts';
import { messageOf } from '../hand-over.ts';
import type { DrainDeadLettersRequest, DrainedDeadLetters } from '../service.ts';
import { type DeadLetterVerdict, type JudgedLetter, judgeLetters } from './dead-letter-verdicts.ts';

/**
 * How long the dead letters that a drain receives are hidden, in ms. The drain of a queue takes less time; if its process
 * is killed, the letters stay hidden until this time has passed.
 */
const hiddenMs = 15 * 60_000;
/** How many messages the drain of a dead-letter queue examines in one batch. */
const batchLetters = 40;
const maxUnreadableIds = 100;
const notReturnedMessage = 'could not return dead letters; they become visible again by themselves';

/**
 * Drains the dead-letter queues of a tenant: drops each letter whose task is no longer dead. A letter of an unfinished task
 * may be that task's last dispatch message, so a new message is sent before the letter is dropped. If the drain fails,
 * nothing is lost: the received letters become visible again by themselves.
 *
 * @throws HoldfastError NOT_BUILT if this engine has no dead-letter queues, QUEUE_UNKNOWN if a queue does not exist.
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
    drained.push(await new QueueDrain(context, deadLetters, queue, request).run());
  }
  return drained;
}

/**
 * Returns the queues whose dead letters are to be drained. Throws before any work is done if a requested queue is unknown.
 */
async function queuesOf(
  { queues }: ServiceContext,
  { tenant, queues: names }: DrainDeadLettersRequest,
): Promise<QueueRef[]> {
  const requested = [...new Set(names)].map((queue) => ({ tenant, queue }));
  if (requested.some((queue) => !queues.has(queue))) await queues.refresh();
  for (const queue of requested) if (!queues.has(queue)) throw queues.unknownQueue(queue);
  if (requested.length > 0) return requested;
  const all = queues.ofTenant(tenant).map(({ queue }) => ({ tenant, queue }));
  if (all.length === 0) throw noQueues(tenant);
  return all;
}

class QueueDrain {
  readonly #context: ServiceContext;
  readonly #deadLetters: DeadLetters;
  readonly #queue: QueueRef;
  readonly #request: DrainDeadLettersRequest;
  /** The receipt handles of received dead letters that are still in the dead-letter queue, by message id. */
  readonly #receiptHandles = new Map<string, string>();
  readonly #counts: Record<DeadLetterVerdict, number> = { kept: 0, dropped: 0, resent: 0, unreadable: 0 };
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
        const most = Math.min(batchLetters, limit - this.#examined);
        const letters = await this.#deadLetters.receive(this.#queue, most, hiddenMs);
        const fresh = letters.filter(({ messageId }) => !this.#receiptHandles.has(messageId));
        for (const { messageId, receiptHandle } of letters)
          this.#receiptHandles.set(messageId, receiptHandle);
        await this.#processBatch(fresh);
        isComplete = letters.length === 0;
        // The first letters of this drain are visible again, so the drain would only examine the same letters once more.
        if (fresh.length < letters.length) break;
      }
    } finally {
      await this.#returnLetters();
    }
    const unreadableIds = this.#unreadableIds;
    return { ...this.#queue, examined: this.#examined, ...this.#counts, unreadableIds, isComplete };
  }

  async #processBatch(letters: readonly DeadLetter[]): Promise<void> {
    const judged = await judgeLetters(this.#context, letters);
    const done = this.#request.dryRun ? judged : await this.#resendAndDrop(judged);
    for (const { letter, verdict } of done) {
      this.#examined++;
      this.#counts[verdict]++;
      if (verdict === 'unreadable' && this.#unreadableIds.length < maxUnreadableIds)
        this.#unreadableIds.push(letter.messageId);
    }
  }

  /**
   * Sends the new dispatch messages for dead letters first, then drops the letters. A letter for which either step fails
   * counts as kept.
   */
  async #resendAndDrop(judged: readonly JudgedLetter[]): Promise<JudgedLetter[]> {
    const unsent = await this.#resendAll(judged.filter(({ verdict }) => verdict === 'resent'));
    const toDrop = judged.filter((one) => this.#isToDrop(one) && !unsent.has(one));
    const dropped = await this.#deadLetters.delete(toDrop.map(({ letter }) => letter.receiptHandle));
    const gone = new Set(toDrop.filter((_, i) => dropped[i] === true));
    for (const { letter } of gone) this.#receiptHandles.delete(letter.messageId);
    return judged.map((one) =>
      gone.has(one) || one.verdict === 'unreadable' ? one : { ...one, verdict: 'kept' as const },
    );
  }

  #isToDrop({ verdict }: JudgedLetter): boolean {
    if (verdict === 'unreadable') return this.#request.dropUnreadable;
    return verdict !== 'kept';
  }

  /** Sends a dispatch message for the task of each letter. Returns the letters whose message could not be sent. */
  async #resendAll(judged: readonly JudgedLetter[]): Promise<ReadonlySet<JudgedLetter>> {
    const { broker, log } = this.#context;
    const messages = judged.flatMap(({ snapshot }) =>
      snapshot === undefined ? [] : [messageOf(snapshot, snapshot.head.version, 'again')],
    );
    const sent = messages.length === 0 ? [] : await broker.send(messages);
    const failed = judged.filter((_, i) => sent[i] !== true);
    for (const one of failed) {
      const task = one.snapshot === undefined ? {} : taskFields(one.snapshot);
      const fields = { err: sent[judged.indexOf(one)], queue: this.#queue.queue, ...task };
      log.warn(fields, 'could not resend the dispatch message of a dead letter; the letter is kept');
    }
    return new Set(failed);
  }

  /**
   * Makes the dead letters that were not dropped visible again. If that fails, the letters become visible by themselves
   * later.
   */
  async #returnLetters(): Promise<void> {
    const receiptHandles = [...this.#receiptHandles.values()];
    const { log } = this.#context;
    try {
      const results = await this.#deadLetters.makeVisible(receiptHandles);
      const left = results.filter((one) => !one).length;
      if (left > 0) log.warn({ queue: this.#queue.queue, left, hidden_ms: hiddenMs }, notReturnedMessage);
    } catch (err) {
      log.warn(
        { err, queue: this.#queue.queue, left: receiptHandles.length, hidden_ms: hiddenMs },
        notReturnedMessage,
      );
    }
  }
}

function noDeadLetters(): HoldfastError {
  return new HoldfastError('FAILED_PRECONDITION', 'NOT_BUILT', 'This store has no dead-letter queues.', {
    help: 'List the dead tasks with `holdfast list --state dead`.',
  });
}

function noQueues(tenant: string): HoldfastError {
  return new HoldfastError('NOT_FOUND', 'QUEUE_UNKNOWN', `Tenant '${tenant}' has no queues.`, {
    help: 'Check the name. To create a queue: `holdfast aws init --queue <name>`.',
  });
}
