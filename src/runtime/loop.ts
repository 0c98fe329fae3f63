import type { Clock } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';

export interface Loop {
  /** Ends the loop and waits for the round under way. */
  stop(): Promise<void>;
}

export interface LoopOptions {
  readonly name: string;
  /** Asked after each round where it is a function. */
  readonly everyMs: number | (() => number);
  /** A round that takes longer is taken for stuck: logged, left behind, and the loop begins anew. */
  readonly stuckAfterMs: number;
  readonly clock: Clock;
  readonly log: Log;
  /**
   * True: there is more to do, so the next round follows at once. A round that may take long says `alive` on its way; one
   * that was left behind is called off by its signal.
   */
  readonly round: (signal: AbortSignal, alive: () => void) => Promise<boolean>;
}

/**
 * Runs rounds until it is stopped. A round that fails is logged and the next one follows; a round that never ends is
 * noticed by the watchdog, since a loop that stops silently strands tasks without anybody being told.
 */
export function startLoop(options: LoopOptions): Loop {
  const { clock, log, name } = options;
  const stopping = new AbortController();
  const pauseMs = (): number => (typeof options.everyMs === 'number' ? options.everyMs : options.everyMs());
  let current: Promise<void>;
  let leftBehind = new AbortController();
  let aliveAtMs = clock.monotonic();

  async function run(mine: AbortController): Promise<void> {
    const signal = AbortSignal.any([stopping.signal, mine.signal]);
    const alive = (): void => {
      if (!mine.signal.aborted) aliveAtMs = clock.monotonic();
    };
    while (!signal.aborted) {
      alive();
      let more = false;
      try {
        more = await options.round(signal, alive);
      } catch (err) {
        log.error({ err, loop: name }, 'a round failed; the next one follows');
      }
      if (mine.signal.aborted) return;
      alive();
      await clock.sleep(more ? 0 : pauseMs(), stopping.signal);
    }
  }

  function begin(): Promise<void> {
    leftBehind.abort();
    leftBehind = new AbortController();
    aliveAtMs = clock.monotonic();
    return run(leftBehind);
  }

  async function watchdog(): Promise<void> {
    while (!stopping.signal.aborted) {
      await clock.sleep(options.stuckAfterMs, stopping.signal);
      if (stopping.signal.aborted) return;
      const silentMs = clock.monotonic() - aliveAtMs;
      if (silentMs < options.stuckAfterMs + pauseMs()) continue;
      log.error({ loop: name, silentMs }, 'a loop stopped silently and is begun anew');
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
