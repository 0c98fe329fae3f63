import type { DescMethodUnary, MessageInitShape, MessageShape } from '@bufbuild/protobuf';
import { asHoldfastError, HoldfastError } from '../core/errors.ts';
import type { Clock } from '../ports/clock.ts';
import { mayRepeat, reconnectMs } from './backoff.ts';
import { during, type Presence } from './presence.ts';
import type { Transport } from './transport.ts';

const callTimeoutMs = 10_000;

export interface CallerOptions {
  readonly transport: Transport;
  readonly clock: Clock;
  /** A failed call is repeated for this many milliseconds before its error goes to the caller. */
  readonly retryForMs: number;
  readonly presence: Presence;
  /** Called before each repetition with the error of the failed call. */
  readonly onRetry: (error: HoldfastError) => void;
}

/** Makes unary calls that are safe to repeat (reads, and changes that have no second effect) and retries them. */
export class Caller {
  readonly #options: CallerOptions;
  #closed = false;

  constructor(options: CallerOptions) {
    this.#options = options;
  }

  close(): void {
    this.#closed = true;
  }

  call<M extends DescMethodUnary>(
    method: M,
    request: MessageInitShape<M['input']>,
    signal?: AbortSignal,
  ): Promise<MessageShape<M['output']>> {
    return during(this.#options.presence, this.#call(method, request, signal));
  }

  async #call<M extends DescMethodUnary>(
    method: M,
    request: MessageInitShape<M['input']>,
    signal: AbortSignal | undefined,
  ): Promise<MessageShape<M['output']>> {
    const { transport, clock, retryForMs, onRetry } = this.#options;
    const giveUpAtMs = clock.monotonic() + retryForMs;
    for (let tries = 0; ; tries++) {
      if (this.#closed) throw closedError();
      try {
        return await transport.call(method, request, { timeoutMs: callTimeoutMs, signal });
      } catch (thrown) {
        const error = asHoldfastError(thrown);
        if (!mayRepeat(error) || signal?.aborted === true || clock.monotonic() >= giveUpAtMs) throw error;
        onRetry(error);
        await clock.sleep(reconnectMs(tries, clock.random(), error.retryAfterMs), signal);
      }
    }
  }
}

/** Returns the error of every call on a client after `close()`. */
export function closedError(): HoldfastError {
  return new HoldfastError('CANCELLED', 'ABANDONED', 'This client is closed.', {
    help: 'Create another client with connect(), or close this one later.',
  });
}
