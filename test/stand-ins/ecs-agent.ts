/** A server in the role of the agent of ECS, which protects tasks with the role of the task. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ECSClient, UpdateTaskProtectionCommand } from '@aws-sdk/client-ecs';
import type { AwsClientConfig } from './ministack-aws.ts';

export interface EcsAgentOptions {
  /** The credentials of the task's role. */
  readonly credentials: AwsClientConfig;
  readonly cluster: string;
  /** Is called with the input of each call of ECS. */
  readonly record?: (input: object) => void;
  /** Prints that a task could not be protected. */
  progress(line: string): void;
}

export interface EcsAgent {
  /** The value of ECS_AGENT_URI. */
  readonly uri: string;
  /** The calls of ECS that it allowed. */
  readonly protections: number;
  close(): Promise<void>;
}

export async function startEcsAgent(options: EcsAgentOptions): Promise<EcsAgent> {
  const ecs = new ECSClient(options.credentials);
  let protections = 0;
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const { ProtectionEnabled, ExpiresInMinutes } = JSON.parse(Buffer.concat(chunks).toString()) as {
      readonly ProtectionEnabled: boolean;
      readonly ExpiresInMinutes?: number;
    };
    const input = {
      ...{ cluster: options.cluster, tasks: ['task'], protectionEnabled: ProtectionEnabled },
      expiresInMinutes: ExpiresInMinutes,
    };
    options.record?.(input);
    const error = await ecs.send(new UpdateTaskProtectionCommand(input)).then(
      () => undefined,
      ({ name, message }: Error) => ({ Code: name, Message: message }),
    );
    if (error === undefined) protections += 1;
    else options.progress(`the agent of ECS could not protect the task: ${error.Code}`);
    response.end(JSON.stringify(error === undefined ? { protection: { ProtectionEnabled } } : { error }));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    uri: `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/task`,
    get protections() {
      return protections;
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      ecs.destroy();
    },
  };
}
