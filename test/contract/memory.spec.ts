import { describe } from 'vitest';
import { memory } from '../../src/engines/memory/index.ts';
import { externalMemory } from '../../src/testing/external-broker.ts';
import { virtualClock } from '../../src/testing/virtual-clock.ts';
import { claimsOnAccept } from './broker/claims-on-accept.ts';
import { storeContract } from './store-contract.ts';
import { type OpenEngine, register } from './subject.ts';

function inMemory(start: typeof externalMemory): OpenEngine {
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

storeContract('memory, transactional broker', inMemory(memory));
storeContract('memory, external broker', inMemory(externalMemory));
describe('memory, transactional broker', () =>
  register('claims in the commit that accepts the task', inMemory(memory), claimsOnAccept));
