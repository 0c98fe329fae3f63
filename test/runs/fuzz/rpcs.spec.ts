import { expect, it } from 'vitest';
import { startListeningNode } from '../../fixtures/listening-node.ts';
import { rawSession } from '../../fixtures/raw-grpc.ts';
import { allHttpPaths, allRpcs } from './rpcs.ts';

it('every fuzzed rpc is one that a server knows, and every method of the schema is fuzzed', async () => {
  await using node = await startListeningNode({ plaintext: true });
  await using raw = await rawSession(node.address);
  const rpcs = await allRpcs();
  for (const { path } of rpcs) {
    const call = raw.call(path, { 'grpc-timeout': '50m' });
    call.stream.end();
    const { code } = await call.status;
    expect(code, path).not.toBe(12);
  }
  const services = [...new Set(rpcs.map(({ path }) => path.split('/')[1]))].sort();
  expect(services).toEqual([
    'grpc.health.v1.Health',
    'grpc.reflection.v1.ServerReflection',
    'grpc.reflection.v1alpha.ServerReflection',
    'holdfast.v1.AdminService',
    'holdfast.v1.TaskService',
    'holdfast.v1.WorkerService',
  ]);
});

it('the fuzzed HTTP paths are those of the router, and some at which there is nothing', () => {
  expect(allHttpPaths()).toEqual(
    expect.arrayContaining(['/holdfast.v1.TaskService/SubmitTask', '/healthz', '/']),
  );
});
