import type { Transport } from '../client/transport.ts';
import { peekSpec } from '../core/codec/spec.ts';
import { HoldfastError } from '../core/errors.ts';
import type { ItemError, SubmitResult } from '../core/messages.ts';

/** A task that was accepted from the client or a handler of the kit. */
export interface Accepted {
  readonly id: string;
  readonly type: string;
}

/** Records the accepted submissions, in their order, and refuses some on request. */
export class Submissions {
  readonly accepted: Accepted[] = [];
  #refuse = { times: 0, error: refused() };

  refuse(times: number, error: HoldfastError = refused()): void {
    this.#refuse = { times, error };
  }

  over(transport: Transport): Transport {
    return {
      ...transport,
      submit: async (batch, options) => {
        const refusals = batch.items.map(() => this.#refusal());
        const items = batch.items.filter((_, i) => refusals[i] === undefined);
        const served =
          items.length === 0 ? [] : (await transport.submit({ ...batch, items }, options)).results;
        const rest = [...served];
        const results = refusals.map((refusal) => refusal ?? (rest.shift() as SubmitResult));
        for (const [i, result] of results.entries()) {
          const item = batch.items[i];
          if (item === undefined || result.error !== undefined || result.deduplicated) continue;
          this.accepted.push({ id: result.id, type: peekSpec(item.spec).type });
        }
        return { results };
      },
    };
  }

  #refusal(): SubmitResult | undefined {
    if (this.#refuse.times <= 0) return undefined;
    this.#refuse.times--;
    const { code, reason, message, help, taskId, retryAfterMs, violations } = this.#refuse.error;
    const error: ItemError = { code, reason, message, help, taskId, retryAfterMs, violations };
    return { error };
  }
}

function refused(): HoldfastError {
  return new HoldfastError('UNAVAILABLE', 'UNREACHABLE', 'The test kit refused this submission.', {
    help: 'Submit again with the same idempotency key; `faults.refuseSubmissions` says how many are refused.',
  });
}
