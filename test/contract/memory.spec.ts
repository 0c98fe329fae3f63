import { describe } from 'vitest';
import { memory } from '../../src/engines/memory/index.ts';
import { virtualClock } from '../../src/testing/virtual-clock.ts';
import { firstClaims } from './broker/claims-on-accept.ts';
import { storeContract } from './store-contract.ts';
import { type Open, register } from './subject.ts';

function inMemory(bells: 'in-commit' | 'apart'): Open {
  return async () => {
    const clock = virtualClock();
    const engine = memory({ clock, bells });
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

storeContract('memory, bells in the commit', inMemory('in-commit'));
storeContract('memory, bells apart', inMemory('apart'));
describe('memory, bells in the commit', () => register('first claims', inMemory('in-commit'), firstClaims));
