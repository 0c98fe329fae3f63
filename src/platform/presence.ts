/** Keeps this process alive while work is in flight, because the Clock's timers and idle connections do not. */
export interface ProcessPresence {
  enter(): void;
  leave(): void;
}

const hour = 3_600_000;

export function processPresence(): ProcessPresence {
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
