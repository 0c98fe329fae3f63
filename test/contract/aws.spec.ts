import { afterAll, beforeAll, vi } from 'vitest';
import { type Dynoxide, startDynoxide } from '../stand-ins/dynoxide.ts';
import { onTable } from './open-on-table.ts';
import { storeContract } from './store-contract.ts';

vi.setConfig({ testTimeout: 60_000 });

let dynoxide: Dynoxide;
beforeAll(async () => {
  dynoxide = await startDynoxide();
});
afterAll(() => dynoxide.stop());

storeContract(
  'aws, on a stand-in for DynamoDB',
  onTable(() => dynoxide.endpoint),
);
