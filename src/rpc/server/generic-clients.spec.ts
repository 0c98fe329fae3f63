import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { resolve } from 'node:path';
import { create } from '@bufbuild/protobuf';
import { type ChannelCredentials, Client, credentials, type ServiceError } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ListeningNode, startListeningNode } from '../../../test/fixtures/listening-node.ts';
import type { CertificateFiles } from '../../tls/load.ts';
import {
  Health,
  HealthCheckRequestSchema,
  type HealthCheckResponse,
  HealthCheckResponse_ServingStatus,
} from '../gen/health/v1/health_pb.ts';
import { messageParser, messageWriter } from './parse.ts';

const buf = resolve('node_modules/.bin/buf');
const { NOT_SERVING, SERVICE_UNKNOWN, SERVING } = HealthCheckResponse_ServingStatus;

let served: ListeningNode;
let files: CertificateFiles;
beforeAll(async () => {
  served = await startListeningNode();
  files = await served.authority.issue('generic', 'client');
});
afterAll(() => served[Symbol.asyncDispose]());

interface CurlResult {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs `buf curl`, which knows no schema of Holdfast: it learns the schema by reflection. */
function curl(path: string, ...args: string[]): Promise<CurlResult> {
  const ours = [
    'curl',
    '--protocol',
    'grpc',
    '--cacert',
    files.ca,
    ...args,
    `https://${served.address}${path}`,
  ];
  return new Promise((done, fail) => {
    const child = spawn(buf, ours, { cwd: tmpdir(), stdio: ['ignore', 'pipe', 'pipe'] });
    let out = '';
    let err = '';
    child.stdout.on('data', (text) => (out += text));
    child.stderr.on('data', (text) => (err += text));
    child.on('error', fail);
    child.on('close', (code) => done({ code: code ?? -1, out, err }));
  });
}
const signed = () => ['--cert', files.cert, '--key', files.key];

describe('a generic gRPC client', () => {
  it('lists the services and their methods by reflection', async () => {
    expect((await curl('', ...signed(), '--list-services')).out.trim().split('\n')).toEqual([
      'grpc.health.v1.Health',
      'holdfast.v1.AdminService',
      'holdfast.v1.TaskService',
      'holdfast.v1.WorkerService',
    ]);
    const { out } = await curl('', ...signed(), '--list-methods', '--reflect-protocol', 'grpc-v1alpha');
    expect(out).toContain('holdfast.v1.WorkerService/Work');
  });

  it('makes unary and streaming calls with the schema from reflection', async () => {
    const spec = { type: 'note', payload: { contentType: 'application/json', bytes: btoa('{}') } };
    const data = JSON.stringify({ queue: 'q', items: [{ idempotencyKey: 'k', spec }] });
    const { code, out } = await curl('/holdfast.v1.TaskService/SubmitTasks', ...signed(), '-d', data);
    expect(code).toBe(0);
    const { id } = JSON.parse(out).results[0];
    await curl('/holdfast.v1.TaskService/CancelTask', ...signed(), '-d', JSON.stringify({ id }));
    const watched = await curl(
      '/holdfast.v1.TaskService/WatchTask',
      ...signed(),
      '-d',
      JSON.stringify({ id }),
    );
    expect(watched.out).toContain('EVENT_KIND_CANCELLED');
    expect(
      JSON.parse((await curl('/grpc.health.v1.Health/List', ...signed(), '-d', '{}')).out).statuses,
    ).toEqual(expect.objectContaining({ 'holdfast.v1.TaskService': { status: 'SERVING' } }));
  });

  it('without a certificate receives an error message that asks for a certificate', async () => {
    const { code, err } = await curl('/holdfast.v1.TaskService/GetTask', '-d', '{}');
    expect(code).not.toBe(0);
    expect(err).toContain('The server asks for a client certificate, and none was given.');
  });
});

describe('a health check', () => {
  const path = (name: string) => `/grpc.health.v1.Health/${name}`;
  const check = (client: Client, service: string): Promise<number> =>
    new Promise((done, fail) => {
      client.makeUnaryRequest(
        path('Check'),
        messageWriter(Health.method.check.input),
        messageParser(Health.method.check.output),
        create(HealthCheckRequestSchema, { service }),
        (failure: ServiceError | null, answer) =>
          failure === null ? done((answer as HealthCheckResponse).status) : fail(failure),
      );
    });
  const withoutCertificate = (): ChannelCredentials => credentials.createSsl(readFileSync(files.ca));

  it('is answered without a client certificate and without a log line', async () => {
    const before = served.lines.length;
    const named = { 'grpc.ssl_target_name_override': 'localhost' };
    const client = new Client(served.address, withoutCertificate(), named);
    expect(await check(client, '')).toBe(SERVING);
    expect(await check(client, 'holdfast.v1.TaskService')).toBe(SERVING);
    await expect(check(client, 'no.Such')).rejects.toMatchObject({ code: 5 });
    client.close();
    expect(served.lines.slice(before)).toEqual([]);
  });

  it('reports NOT_SERVING to its watchers once the server drains', async () => {
    await using other = await startListeningNode({ plaintext: true });
    const client = new Client(other.address, credentials.createInsecure());
    const watch = (service: string) => {
      const seen: number[] = [];
      const call = client.makeServerStreamRequest(
        path('Watch'),
        messageWriter(Health.method.watch.input),
        messageParser(Health.method.watch.output),
        create(HealthCheckRequestSchema, { service }),
      );
      call.on('data', (answer: HealthCheckResponse) => seen.push(answer.status));
      call.on('error', () => {});
      return seen;
    };
    const known = watch('holdfast.v1.WorkerService');
    const unknown = watch('no.Such');
    await expect.poll(() => [known, unknown]).toEqual([[SERVING], [SERVICE_UNKNOWN]]);
    other.listening.drain();
    await expect.poll(() => known).toEqual([SERVING, NOT_SERVING]);
    expect(await check(client, '')).toBe(NOT_SERVING);
    client.close();
  });
});
