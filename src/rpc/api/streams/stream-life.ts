/**
 * The timers of every long stream. Each side sends a keep-alive every 20 s. The stream is cut if the client has sent
 * nothing for 60 s. After 240 s ± 10 % the stream is drained: the client is asked to open a new stream, and 30 s later
 * the old one is ended if the client is still connected.
 */
import { HoldfastError } from '../../../core/errors.ts';
import { timing } from '../../../core/limits.ts';
import type { Clock } from '../../../ports/clock.ts';

/** Number of keep-alive intervals without any message of the client after which the client's stream is cut. */
const missedKeepAlives = 3;
/**
 * The age at which a stream is drained varies by this fraction, so that clients do not all open new streams at once.
 */
const ageSpread = 0.1;

export interface StreamLifeEvents {
  keepAlive(): void;
  /** Called once, when the server should ask the client to open its next stream. */
  drain(): void;
  /** Called when the stream must end: with the error, or with status OK if there is none. */
  over(error: HoldfastError | undefined): void;
}

export interface StreamLife {
  /** Records that a message of the client arrived. */
  messageReceived(): void;
  /** Drains the stream now instead of at its maximum age. */
  drain(): void;
  /** Cancels all timers of the stream. */
  stop(): void;
}

export function streamAgeMs(clock: Clock): number {
  return Math.round(timing.streamMaxAgeMs * (1 - ageSpread + 2 * ageSpread * clock.random()));
}

export function startStreamLife(clock: Clock, events: StreamLifeEvents): StreamLife {
  let receivedAtMs = clock.monotonic();
  let draining = false;
  let cancelTick = clock.after(timing.keepAliveMs, tick);
  let cancelAge = clock.after(streamAgeMs(clock), drain);

  function tick(): void {
    const idleMs = clock.monotonic() - receivedAtMs;
    if (idleMs > missedKeepAlives * timing.keepAliveMs) {
      events.over(peerTimeout(idleMs));
      return;
    }
    cancelTick = clock.after(timing.keepAliveMs, tick);
    events.keepAlive();
  }
  function drain(): void {
    if (draining) return;
    draining = true;
    cancelAge();
    cancelAge = clock.after(timing.streamDrainMs, () => events.over(undefined));
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

function peerTimeout(idleMs: number): HoldfastError {
  const message = `The client sent nothing for ${Math.round(idleMs / 1_000)} s, so the stream was cut.`;
  return new HoldfastError('UNAVAILABLE', 'TIMED_OUT', message, {
    help: `Send a keep-alive every ${timing.keepAliveMs / 1_000} s, and open the stream again.`,
  });
}
