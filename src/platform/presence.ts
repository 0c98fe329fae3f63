/** Keeps this process alive while something is under way: the Clock's timers and idle connections do not. */
export interface Presence {
  enter(): void;
  leave(): void;
}

const hour = 3_600_000;

export function processPresence(): Presence {
  const timer = setInterval(() => {}, hour);
  timer.unref();
  let within = 0;
  return {
    enter() {
      if (within++ === 0) timer.ref();
    },
    leave() {
      if (--within === 0) timer.unref();
    },
  };
}
