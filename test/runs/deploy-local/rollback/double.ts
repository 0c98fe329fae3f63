/**
 * A double of AWS for `holdfast deploy`: an HTTP server that plays a service of ECS with its rollouts. Everything else it
 * stores itself, or leaves to a server behind it.
 */
import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ApiError, describeRevisions, type Play, PlayedService } from './played-service.ts';
import { isPlayedTask, Stored } from './stored.ts';

// biome-ignore lint/suspicious/noExplicitAny: requests are JSON of many shapes.
type Request = any;

export interface Double {
  /** True if it leaves to ministack what it does not play. */
  readonly isBefore: boolean;
  readonly endpoint: string;
  readonly service: PlayedService | undefined;
  readonly stored: Stored;
  /** The operations that were called, in order. */
  readonly calls: readonly string[];
  /** Serves a configuration of an image under its digest. */
  addBlob(digest: string, content: string): void;
  play(taskDefinition: string, how: Play): void;
  /** Plays a service from now on that the server behind it has, and leaves it the others. */
  adopt(cluster: string, name: string, taskDefinition: string, desired: number): void;
  /** Is called before each call is answered. An error that it throws becomes the answer. */
  before: ((operation: string) => void) | undefined;
  close(): Promise<void>;
}

/** Starts the double; `behind` is the address of ministack, to which it leaves what it does not play. */
export async function startDouble(behind?: string): Promise<Double> {
  const stored = new Stored();
  const blobs = new Map<string, string>();
  const calls: string[] = [];
  let service: PlayedService | undefined;
  let endpoint = '';

  /** Returns the answer of a played call, or undefined if it is left to others. */
  async function played(operation: string, request: Request): Promise<object | undefined> {
    const named = request.services?.[0] ?? request.service;
    if (behind !== undefined && named !== undefined && service?.is(named) !== true) return undefined;
    switch (operation) {
      case 'CreateService':
        service = new PlayedService(
          request.cluster,
          request.serviceName,
          await arnOf(request.taskDefinition),
          request.desiredCount,
        );
        return { service: service.describe() };
      case 'GetDownloadUrlForLayer':
        return { downloadUrl: `${endpoint}/blobs/${request.layerDigest}?signed=yes` };
      case 'DescribeServiceRevisions':
        return { serviceRevisions: describeRevisions(request.serviceRevisionArns) };
      case 'DescribeServices':
        return service?.is(request.services[0]) === true
          ? { services: [service.describe()], failures: [] }
          : { services: [], failures: [{ reason: 'MISSING' }] };
      case 'ListServiceDeployments':
        return { serviceDeployments: service?.list() ?? [] };
      case 'DescribeServiceDeployments':
        return { serviceDeployments: service?.describeRollouts(request.serviceDeploymentArns) ?? [] };
      case 'StopServiceDeployment':
        return service?.stop(request.serviceDeploymentArn);
      case 'UpdateService':
        return service?.update(await arnOf(request.taskDefinition));
      case 'ListTasks':
        return service?.is(request.serviceName) === true ? stored.answer(operation, request) : undefined;
      case 'DescribeTasks':
        return request.tasks.every(isPlayedTask) ? stored.answer(operation, request) : undefined;
      default:
        return behind === undefined ? stored.answer(operation, request) : undefined;
    }
  }

  /** Refuses a revision that does not exist or is deregistered, as AWS does and ministack does not. */
  async function arnOf(name: string): Promise<string> {
    if (behind !== undefined) return name;
    const { status, taskDefinitionArn } = stored.definition(name);
    if (status === 'INACTIVE') throw new ApiError('ClientException', 'TaskDefinition is inactive');
    return taskDefinitionArn;
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await bodyOf(request);
    if (request.url?.startsWith('/blobs/')) {
      const blob = blobs.get(request.url.slice('/blobs/'.length).split('?')[0] ?? '');
      response.writeHead(blob === undefined ? 404 : 200).end(blob);
      return;
    }
    const operation = String(request.headers['x-amz-target'] ?? '').split('.')[1] ?? '';
    calls.push(operation);
    try {
      double.before?.(operation);
      const own = await played(operation, body.length === 0 ? {} : JSON.parse(body.toString()));
      if (own !== undefined) reply(response, 200, own);
      else if (behind !== undefined) await forward(behind, request, body, response);
      else throw new ApiError('UnknownOperationException', operation);
    } catch (thrown) {
      const { type = 'InternalFailure', message } = thrown as Partial<ApiError> & Error;
      reply(response, type === 'InternalFailure' ? 500 : 400, { __type: type, message });
    }
  }

  const server = createServer((request, response) => void answer(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const double: Double = {
    ...{ endpoint, stored, calls, before: undefined, isBefore: behind !== undefined },
    get service() {
      return service;
    },
    addBlob: (digest, content) => void blobs.set(digest, content),
    play(taskDefinition, how) {
      service?.play(taskDefinition, how);
    },
    adopt(cluster, name, taskDefinition, desired) {
      service = new PlayedService(cluster, name, taskDefinition, desired);
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return double;
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

function reply(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/x-amz-json-1.1' }).end(JSON.stringify(body));
}

/** Leaves a call to the server behind, with all its headers: its signature is of the host that was called, too. */
function forward(
  behind: string,
  { url = '/', method, headers }: IncomingMessage,
  body: Buffer,
  response: ServerResponse,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest(behind + url, { method, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
      answer.once('end', resolve).once('error', reject);
    });
    outgoing.once('error', reject);
    outgoing.end(body);
  });
}
