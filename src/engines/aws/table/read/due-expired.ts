import type { AwsContext } from '../context.ts';
import { n, numberOf } from '../items/rows.ts';
import { type Item, ttlName } from '../schema/keys.ts';

/** So long after its time an item is deleted here: no two clocks that are relied on differ by as much. */
const surelyMs = 60_000;
const mostDeleted = 100;
/** At once. */
const together = 25;

/**
 * Frees heads that have expired and are still due: TTL may take days, and meanwhile everybody who asks what is due reads
 * their entries. Best effort, so much a call: what is left out is met again.
 */
export class Expired {
  readonly #context: AwsContext;
  #left = mostDeleted;

  constructor(context: AwsContext) {
    this.#context = context;
  }

  /** `items`: of the index. */
  async free(items: readonly Item[]): Promise<void> {
    const secondMs = 1_000;
    const beforeS = Math.floor((this.#context.clock.now() - surelyMs) / secondMs);
    const surely = items.filter((item) => (numberOf(item[ttlName]) ?? beforeS + 1) <= beforeS);
    while (surely.length > 0 && this.#left > 0) {
      const some = surely.splice(0, Math.min(together, this.#left));
      this.#left -= some.length;
      const freed = await Promise.allSettled(some.map((item) => this.#delete(item, beforeS)));
      const failed = freed.find((one) => one.status === 'rejected');
      if (failed === undefined) continue;
      this.#left = 0;
      this.#context.log.debug({ err: failed.reason }, 'expired heads could not be deleted; TTL will');
    }
  }

  /** Only of the acceptance that the index told of, and only where that has expired; by whomever it was deleted before. */
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
