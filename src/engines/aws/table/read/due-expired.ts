import type { AwsContext } from '../context.ts';
import { n, numberOf } from '../items/rows.ts';
import { type Item, ttlName } from '../schema/keys.ts';

/**
 * Time in ms between the expiry of a task and the deletion of its head by a sweep. The time is longer than any
 * difference between the clocks of two processes.
 */
const clockMarginMs = 60_000;
const mostDeleted = 100;
/** Number of expired heads whose deletions are sent at the same time. */
const deletedAtOnce = 25;

/**
 * Deletes the heads of expired tasks that still have a due entry. DynamoDB's TTL may take days to delete them, and
 * until then every query for due tasks reads their entries. Best effort: one cleaner deletes at most 100 heads, and
 * later queries find the others.
 */
export class ExpiredHeadCleaner {
  readonly #context: AwsContext;
  #left = mostDeleted;

  constructor(context: AwsContext) {
    this.#context = context;
  }

  /** Deletes the heads of expired tasks, given their items of the due index. */
  async free(items: readonly Item[]): Promise<void> {
    const secondMs = 1_000;
    const beforeS = Math.floor((this.#context.clock.now() - clockMarginMs) / secondMs);
    const deletable = items.filter((item) => (numberOf(item[ttlName]) ?? beforeS + 1) <= beforeS);
    while (deletable.length > 0 && this.#left > 0) {
      const batch = deletable.splice(0, Math.min(deletedAtOnce, this.#left));
      this.#left -= batch.length;
      const results = await Promise.allSettled(batch.map((item) => this.#delete(item, beforeS)));
      const failed = results.find((result) => result.status === 'rejected');
      if (failed === undefined) continue;
      this.#left = 0;
      this.#context.log.debug(
        { err: failed.reason },
        'the heads of expired tasks could not be deleted; TTL will delete them',
      );
    }
  }

  /**
   * Deletes a task's head if the head belongs to the task of the index entry and has expired. A head that was deleted
   * before is no error.
   */
  async #delete({ pk, sk, at }: Item, beforeS: number): Promise<void> {
    if (pk === undefined || sk === undefined || at === undefined) return;
    await this.#context.calls.delete('due', {
      Key: { pk, sk },
      ConditionExpression: '#at = :at AND #x <= :before',
      ExpressionAttributeNames: { '#at': 'at', '#x': ttlName },
      ExpressionAttributeValues: { ':at': at, ':before': n(beforeS) },
    });
  }
}
