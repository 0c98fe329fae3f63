import { afterAll, beforeAll, vi } from 'vitest';
import { type Dynoxide, startDynoxide } from '../stand-ins/dynoxide.ts';
import { type DynamoProxy, startDynamoProxy } from '../stand-ins/proxy/dynamo-proxy.ts';
import { onTable } from './open-on-table.ts';
import { storeContract } from './store-contract.ts';

vi.setConfig({ testTimeout: 60_000 });

let dynoxide: Dynoxide;
let proxy: DynamoProxy;
beforeAll(async () => {
  dynoxide = await startDynoxide();
  proxy = await startDynamoProxy({
    upstream: dynoxide.endpoint,
    seed: 7,
    chance: { loseAnswer: 0.01, loseRequest: 0.005, serverError: 0.005 },
    staleReads: { share: 1, upToMs: Number.POSITIVE_INFINITY },
    indexLag: { upToMs: 5_000 },
    conflicts: { holdMs: 2 },
    tear: { share: 0.5, upToMs: 20 },
  });
});
afterAll(async () => {
  await proxy.close();
  await dynoxide.stop();
});

storeContract(
  'aws, with lost responses, stale reads, lagging indexes and torn transactions',
  onTable(
    () => proxy.url,
    () => proxy.caughtUp(),
  ),
);
