import { type VirtualClock, virtualClock } from '../../src/testing/virtual-clock.ts';
import type { SqsStandIn } from './sqs-stand-in.ts';

const lookMs = 2;

type Beside = Pick<SqsStandIn, 'setTime'> & { readonly front: { readonly busy: boolean } };

/**
 * A virtual clock that takes the stand-in along: what is hidden there comes back when this clock says so. Time moves
 * from timer to timer, and rests at each until the calls under way (long polls aside) are answered.
 */
export function clockBeside({ front, setTime }: Beside): VirtualClock {
  const clock = virtualClock();
  setTime(clock.now());

  async function rest(): Promise<void> {
    await clock.settle();
    while (front.busy) {
      await new Promise((resolve) => setTimeout(resolve, lookMs));
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
