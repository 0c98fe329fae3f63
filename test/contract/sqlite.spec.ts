import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { checkStore } from '../../src/engines/sqlite/check/check-store.ts';
import { sqlite } from '../../src/engines/sqlite/index.ts';
import { virtualClock } from '../../src/testing/virtual-clock.ts';
import { claimsOnAccept } from './broker/claims-on-accept.ts';
import { storeContract } from './store-contract.ts';
import { type OpenEngine, register } from './subject.ts';

const inFile: OpenEngine = async () => {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-contract-'));
  const clock = virtualClock();
  const path = join(folder, 'queue.db');
  let current = await sqlite({ path, clock, ballastBytes: 0 });
  return {
    engine: current,
    clock,
    reopen: async () => {
      await current.close();
      current = await sqlite({ path, clock, ballastBytes: 0 });
      return current;
    },
    async dispose() {
      await current.close();
      // Some tests take the place of an unfinished task out of its lane, as no caller does.
      const faults = checkStore(path).filter(({ text }) => !text.includes('no place in its lane'));
      await rm(folder, { recursive: true });
      expect(faults).toEqual([]);
    },
  };
};

storeContract('sqlite', inFile);
describe('sqlite', () => register('claims in the commit that accepts the task', inFile, claimsOnAccept));
