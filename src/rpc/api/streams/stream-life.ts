/**
 * What every long stream has in common: a keep-alive each 20 s both ways, an end for a peer that is silent for
 * three of them, a drain after 240 s ± 10 % and, where the peer stays, an end 30 s later.
 */
import { HoldfastError } from '../../../core/errors.ts';
import { timing } from '../../../core/limits.ts';
import type { Clock } from '../../../ports/clock.ts';

const silentKeepAlives = 3;
const ageSpread = 0.1;

export interface LifeEvents {
  keepAlive(): void;
  /** Once: the peer is asked to open its next stream. */
  drain(): void;
  /** Undefined: the time is over, in good order. */
  over(error: HoldfastError | undefined): void;
}

export interface Life {
  /** The peer said something. */
  messageReceived(): void;
  /** Drains now instead of at its age. */
  drain(): void;
  /** No more of it. */
  stop(): void;
}

export function streamAgeMs(clock: Clock): number {
  return Math.round(timing.streamMaxAgeMs * (1 - ageSpread + 2 * ageSpread * clock.random()));
}

export function beginLife(clock: Clock, events: LifeEvents): Life {
  let receivedAtMs = clock.monotonic();
  let draining = false;
  let cancelTick = clock.after(timing.keepAliveMs, tick);
  let cancelAge = clock.after(streamAgeMs(clock), drain);

  function tick(): void {
    const silentMs = clock.monotonic() - receivedAtMs;
    if (silentMs > silentKeepAlives * timing.keepAliveMs) {
      events.over(silence(silentMs));
      return;
    }
    cancelTick = clock.after(timing.keepAliveMs, tick);
    events.keepAlive();
  }
  function drain(): void {
    if (draining) return;
    draining = true;
    cancelAge();
    cancelAge = clock.after(timing.drainMs, () => events.over(undefined));
    events.drain();
  }
  return {
    messageReceived() {
      receivedAtMs = clock.monotonic();
    },
    drain,
    stop() {
      draining = true;
      cancelTick();
      cancelAge();
    },
  };
}

function silence(ms: number): HoldfastError {
  const told = `Nothing was heard from the other side for ${Math.round(ms / 1_000)} s`;
  return new HoldfastError('UNAVAILABLE', 'TIMED_OUT', `${told}, so the stream was cut.`, {
    help: `Send a keep-alive each ${timing.keepAliveMs / 1_000} s, and open the stream again.`,
  });
}
