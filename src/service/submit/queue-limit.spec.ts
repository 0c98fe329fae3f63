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
