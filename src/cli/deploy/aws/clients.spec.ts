import { afterEach, expect, it, vi } from 'vitest';
import { openClients } from './clients.ts';

afterEach(() => vi.unstubAllEnvs());

it('each request has a limit of time, also to a service that takes the connection and does not answer', async () => {
  vi.stubEnv('AWS_ENDPOINT_URL', 'http://127.0.0.1:1');
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'test');
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'test');
  vi.stubEnv('AWS_MAX_ATTEMPTS', '1');
  const { ecs, ecr, ssm, ecsModule, ecrModule, ssmModule } = await openClients('eu-central-1');
  const calls = [
    ecs.send(new ecsModule.ListClustersCommand({})),
    ecr.send(new ecrModule.DescribeRepositoriesCommand({})),
    ssm.send(new ssmModule.GetParameterCommand({ Name: '/a' })),
  ];
  await Promise.allSettled(calls);
  for (const client of [ecs, ecr, ssm]) {
    // The handler has its settings after the first request.
    const handler = client.config.requestHandler as { httpHandlerConfigs(): object };
    expect(handler.httpHandlerConfigs()).toMatchObject({
      ...{ connectionTimeout: 5_000, requestTimeout: 20_000, socketTimeout: 20_000 },
      throwOnRequestTimeout: true,
    });
    client.destroy();
  }
});
