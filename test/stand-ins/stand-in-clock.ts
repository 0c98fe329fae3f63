import { type VirtualClock, virtualClock } from '../../src/testing/virtual-clock.ts';
import type { SqsStandIn } from './sqs-stand-in.ts';

const pollMs = 2;

type TimedStandIn = Pick<SqsStandIn, 'setTime'> & { readonly front: { readonly busy: boolean } };

/**
 * Creates a virtual clock that also sets the time of an SQS stand-in, so that hidden messages reappear by the virtual
 * clock. The clock advances from timer to timer, and stops at each timer until all calls in flight except long polls
 * are answered.
 */
export function standInClock({ front, setTime }: TimedStandIn): VirtualClock {
  const clock = virtualClock();
  setTime(clock.now());

  async function rest(): Promise<void> {
    await clock.settle();
    while (front.busy) {
      await new Promise((resolve) => setTimeout(resolve, pollMs));
      await clock.settle();
    }
  }

  async function advance(ms: number): Promise<void> {
    const endMs = clock.now() + ms;
    await rest();
    while (clock.now() < endMs) {
      const stepMs = Math.max(0, Math.min(endMs, clock.nextAtMs ?? endMs) - clock.now());
      setTime(clock.now() + stepMs);
      await clock.advance(stepMs);
      await rest();
    }
  }
  return new Proxy(clock, {
    get(target, name) {
      if (name === 'advance') return advance;
      if (name === 'settle') return rest;
      const value = Reflect.get(target, name, target) as unknown;
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}
