import { expect, it } from 'vitest';
import { apiNode, item } from '../../../test/fixtures/api-node.ts';
import { limits } from '../../core/limits.ts';

it('a tenant with the maximum number of queues cannot create another by a submission, but its own queues still accept tasks', async () => {
  const { service } = await apiNode();
  const to = (queue: string, tenant = 'default') =>
    service.submit({ tenant, queue }, [item('k')], { notAfterMs: undefined });
  for (let i = 0; i < limits.queuesPerTenant; i++) await to(`queue-${i}`);
  await expect(to('one-more')).rejects.toMatchObject({
    code: 'FAILED_PRECONDITION',
    reason: 'TOO_MANY_QUEUES',
    retryable: false,
  });
  await expect(to('queue-7')).resolves.toMatchObject([{ deduplicated: true }]);
  await expect(to('one-more', 'another')).resolves.toMatchObject([{ deduplicated: false }]);
});

it('a store with the most tenants that use may create refuses another one, also of simultaneous calls, and serves the others', async () => {
  const { service } = await apiNode();
  const to = (tenant: string, queue = 'q') =>
    service.submit({ tenant, queue }, [item('k')], { notAfterMs: undefined });
  const calls = await Promise.allSettled(
    Array.from({ length: limits.tenants + 50 }, (_, i) => to(`tenant-${i}`)),
  );
  expect(calls.filter(({ status }) => status === 'fulfilled')).toHaveLength(limits.tenants);
  await expect(to('one-more')).rejects.toMatchObject({
    code: 'RESOURCE_EXHAUSTED',
    reason: 'TOO_MANY_QUEUES',
    message: expect.stringContaining('this store already has 1,000 tenants'),
    retryable: false,
  });
  await expect(to('tenant-7')).resolves.toMatchObject([{ deduplicated: true }]);
  await expect(to('tenant-7', 'other')).resolves.toMatchObject([{ deduplicated: false }]);
});

it('a store with the most queues that use may create refuses another one of any tenant', async () => {
  const { service } = await apiNode();
  const to = (tenant: string, queue: string) =>
    service.submit({ tenant, queue }, [item('k')], { notAfterMs: undefined });
  const each = 500;
  for (let tenant = 0; tenant < limits.queues / each; tenant++) {
    for (let i = 0; i < each; i++) await to(`tenant-${tenant}`, `queue-${i}`);
  }
  await expect(to('tenant-1', 'one-more')).rejects.toMatchObject({
    code: 'RESOURCE_EXHAUSTED',
    reason: 'TOO_MANY_QUEUES',
    message: expect.stringContaining('this store already has 10,000 queues'),
  });
});
