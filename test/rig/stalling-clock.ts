import { sleepOver } from '../../src/platform/sleep.ts';
import type { ProcessClock } from '../../src/platform/virtual-clock.ts';

/** The clock of a process that may be held up (a stopped machine, a long collection): then none of its timers fires. */
export interface StallingClock extends ProcessClock {
  stall(): void;
  /** All that would have happened meanwhile happens now. */
  goOn(): void;
}

export function stallingClock(clock: ProcessClock): StallingClock {
  let isStalled = false;
  let owed: (() => void)[] = [];
  const held = (run: () => void) => () => {
    if (isStalled) owed.push(run);
    else run();
  };
  const after: ProcessClock['after'] = (ms, run) => {
    let isCancelled = false;
    const cancel = clock.after(
      ms,
      held(() => isCancelled || run()),
    );
    return () => {
      isCancelled = true;
      cancel();
    };
  };
  return {
    ...clock,
    after,
    sleep: sleepOver(after),
    soon: (run) => clock.soon(held(run)),
    stall() {
      isStalled = true;
    },
    goOn() {
      isStalled = false;
      const now = owed;
      owed = [];
      for (const run of now) run();
    },
  };
}
