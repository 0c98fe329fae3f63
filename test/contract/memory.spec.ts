import { describe } from 'vitest';
import { memory } from '../../src/engines/memory/index.ts';
import { externalMemory } from '../../src/testing/external-broker.ts';
import { virtualClock } from '../../src/testing/virtual-clock.ts';
import { firstClaims } from './broker/claims-on-accept.ts';
import { storeContract } from './store-contract.ts';
import { type Open, register } from './subject.ts';

function inMemory(start: typeof externalMemory): Open {
  return async () => {
    const clock = virtualClock();
    const engine = start({ clock });
    let current = engine.connect('first');
    return {
      engine: current,
      clock,
      reopen: async () => {
        await current.close();
        current = engine.connect('next');
        return current;
      },
    };
  };
}

storeContract('memory, bells in the commit', inMemory(memory));
storeContract('memory, external broker', inMemory(externalMemory));
describe('memory, bells in the commit', () => register('first claims', inMemory(memory), firstClaims));
