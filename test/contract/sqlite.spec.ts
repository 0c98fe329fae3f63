import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe } from 'vitest';
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
    dispose: () => rm(folder, { recursive: true }),
  };
};

storeContract('sqlite', inFile);
describe('sqlite', () => register('claims in the commit that accepts the task', inFile, claimsOnAccept));
