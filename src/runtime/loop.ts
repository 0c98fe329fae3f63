import type { Clock } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';

export interface Loop {
  /** Stops the background loop and waits until its current round has ended. */
  stop(): Promise<void>;
}

export interface LoopOptions {
  readonly name: string;
  /**
   * The pause between two rounds of the loop in ms. If it is a function, the loop calls it after each round to get the
   * next pause.
   */
  readonly everyMs: number | (() => number);
  /**
   * The longest time in ms that a round of the loop may run without calling `alive`. After that the watchdog logs an
   * error, aborts the signal of the round and starts the loop again beside the stuck round.
   */
  readonly stuckAfterMs: number;
  readonly clock: Clock;
  readonly log: Log;
  /**
   * Runs one round of the loop. Returns true if there is more to do, so that the next round follows at once. A long round
   * calls `alive` as it makes progress. The signal is aborted when the loop stops or the watchdog finds the round stuck.
   */
  readonly round: (signal: AbortSignal, alive: () => void) => Promise<boolean>;
}

/**
 * Starts a background loop, which runs rounds until it is stopped. A failed round is logged and the next one follows. A
 * watchdog detects a round that never ends and starts the loop again, because a stuck loop would leave tasks unprocessed
 * without any log line.
 */
export function startLoop(options: LoopOptions): Loop {
  const { clock, log, name } = options;
  const stopping = new AbortController();
  const pauseMs = (): number => (typeof options.everyMs === 'number' ? options.everyMs : options.everyMs());
  let current: Promise<void>;
  let runController = new AbortController();
  let aliveAtMs = clock.monotonic();

  async function run(controller: AbortController): Promise<void> {
    const signal = AbortSignal.any([stopping.signal, controller.signal]);
    const alive = (): void => {
      if (!controller.signal.aborted) aliveAtMs = clock.monotonic();
    };
    while (!signal.aborted) {
      alive();
      let more = false;
      try {
        more = await options.round(signal, alive);
      } catch (err) {
        log.error({ err, loop: name }, 'a round of a background loop failed; the next round follows');
      }
      if (controller.signal.aborted) return;
      alive();
      await clock.sleep(more ? 0 : pauseMs(), stopping.signal);
    }
  }

  function begin(): Promise<void> {
    runController.abort();
    runController = new AbortController();
    aliveAtMs = clock.monotonic();
    return run(runController);
  }

  async function watchdog(): Promise<void> {
    while (!stopping.signal.aborted) {
      await clock.sleep(options.stuckAfterMs, stopping.signal);
      if (stopping.signal.aborted) return;
      const silentMs = clock.monotonic() - aliveAtMs;
      if (silentMs < options.stuckAfterMs + pauseMs()) continue;
      log.error({ loop: name, silentMs }, 'a background loop made no progress; starting it again');
      current = begin();
    }
  }

  current = begin();
  const watching = watchdog();
  return {
    async stop() {
      stopping.abort();
      await Promise.race([Promise.all([current, watching]), clock.sleep(options.stuckAfterMs)]);
    },
  };
}
