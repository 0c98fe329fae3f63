/** Sends the cases of a seed. Each depends on the seed, on its number, and on the values that the server answered before. */
import {
  create,
  type DescMessage,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from '@bufbuild/protobuf';
import { SubmitTasksRequestSchema } from '../../../src/rpc/gen/holdfast/v1/task_service_pb.ts';
import { ClaimTasksRequestSchema } from '../../../src/rpc/gen/holdfast/v1/worker_service_pb.ts';
import { frame } from '../../fixtures/raw-grpc.ts';
import { type Finding, Findings } from './findings.ts';
import { type GrpcCase, grpcCase } from './grpc-case.ts';
import { GrpcClient } from './grpc-client.ts';
import { type HttpCase, httpCase } from './http-case.ts';
import { HttpClient } from './http-client.ts';
import type { Target } from './identities.ts';
import { KnownValues } from './known-values.ts';
import { fuzzQueues, fuzzTenant, fuzzTypes } from './messages.ts';
import { Random } from './random.ts';
import { type RawCase, rawCase } from './raw-case.ts';
import { allHttpPaths, allRpcs, type Rpc } from './rpcs.ts';

/** The number of cases after which fresh tasks are submitted and claimed, since leases end. */
const refreshEvery = 400;
const tasks = 30;
const claims = 10;

export type Case =
  | { readonly over: 'grpc'; readonly one: GrpcCase }
  | { readonly over: 'http'; readonly one: HttpCase }
  | { readonly over: 'raw'; readonly one: RawCase };

export interface FuzzOptions {
  readonly seed: number;
  /** The number of the first case. */
  readonly from?: number;
  /** The number of the case behind the last one. Default: no end. */
  readonly until?: number;
  /** The number of cases that run at once. */
  readonly lanes: number;
  /** Called before each case. The run ends once it returns false. */
  readonly goOn?: () => boolean;
}

export class Fuzzer {
  readonly #known = new KnownValues();
  readonly #grpc: GrpcClient;
  readonly #http: HttpClient;
  readonly #rpcs: readonly Rpc[];
  readonly #paths: readonly string[];
  readonly findings: Findings;
  /** The number of messages, requests and connections that were sent. */
  messages = 0;

  private constructor(target: Target, rpcs: readonly Rpc[], findings: Findings) {
    this.#grpc = new GrpcClient(target, this.#known);
    this.#http = new HttpClient(target);
    this.#rpcs = rpcs;
    this.#paths = allHttpPaths();
    this.findings = findings;
  }

  static async create(target: Target, report: (finding: Finding) => void): Promise<Fuzzer> {
    return new Fuzzer(target, await allRpcs(), new Findings(report));
  }

  async run({
    seed,
    from = 0,
    until = Number.POSITIVE_INFINITY,
    lanes,
    goOn = () => true,
  }: FuzzOptions): Promise<void> {
    let next = from;
    await this.#refresh(seed);
    const lane = async (): Promise<void> => {
      while (next < until && goOn()) {
        const number = next++;
        if (number % refreshEvery === 0) await this.#refresh(seed + number);
        await this.#runCase(seed, number);
      }
    };
    await Promise.all(Array.from({ length: lanes }, lane));
  }

  caseOf(seed: number, number: number): Case {
    const random = Random.ofCase(seed, number);
    const rpc = this.#rpcs[number % this.#rpcs.length] as Rpc;
    const share = random.below(100);
    if (share < 68) return { over: 'grpc', one: grpcCase(rpc, random, this.#known) };
    if (share < 94) return { over: 'http', one: httpCase(rpc, this.#paths, random, this.#known) };
    return { over: 'raw', one: rawCase(this.#paths, random) };
  }

  async #runCase(seed: number, number: number): Promise<void> {
    const made = this.caseOf(seed, number);
    this.messages += made.over === 'grpc' ? Math.max(1, made.one.messages) : 1;
    const problem = await this.#send(made);
    if (problem !== undefined) this.findings.add({ problem, seed, number, ...textOf(made) });
  }

  async #send(made: Case): Promise<string | undefined> {
    switch (made.over) {
      case 'grpc':
        return this.#grpc.run(made.one);
      case 'http':
        return this.#http.run(made.one);
      case 'raw':
        return void (await this.#http.send(made.one));
    }
  }

  /** Submits and claims tasks, so that the next cases have ids and leases. */
  async #refresh(seed: number): Promise<void> {
    const queue = fuzzQueues[seed % fuzzQueues.length] as string;
    const type = fuzzTypes[0] as string;
    const items = Array.from({ length: tasks }, () => ({
      spec: { type, payload: { bytes: Buffer.from('{}') } },
    }));
    await this.#make('/holdfast.v1.TaskService/SubmitTasks', SubmitTasksRequestSchema, {
      tenant: fuzzTenant,
      queue,
      items,
    });
    await this.#make('/holdfast.v1.WorkerService/ClaimTasks', ClaimTasksRequestSchema, {
      tenant: fuzzTenant,
      workerName: 'fuzzer',
      workerId: 'fuzzer',
      queues: fuzzQueues,
      types: [{ type, maxVersion: 9 }],
      maxTasks: claims,
      waitMs: 200n,
    });
  }

  async #make<D extends DescMessage>(path: string, desc: D, message: MessageInitShape<D>): Promise<void> {
    const rpc = this.#rpcs.find((one) => one.path === path);
    if (rpc === undefined) throw new Error(`there is no ${path}`);
    const bytes = frame(toBinary(desc, create(desc, message) as MessageShape<D>));
    const headers = { 'grpc-timeout': '2S' };
    const sent = {
      kind: 'valid',
      identity: 'admin',
      rpc,
      path,
      headers,
      writes: [bytes],
      messages: 1,
      ends: true,
    } as const;
    const problem = await this.#grpc.run(sent);
    if (problem !== undefined)
      this.findings.add({ problem, seed: 0, number: 0, ...textOf({ over: 'grpc', one: sent }) });
  }

  async close(): Promise<void> {
    this.#http.close();
    await this.#grpc.close();
  }
}

/** Returns the target of a case and everything that it sends. */
function textOf({ over, one }: Case): Pick<Finding, 'target' | 'sent'> {
  if (over === 'raw')
    return { target: `${one.kind} to ${one.port} as ${one.identity ?? 'plaintext'}`, sent: one.writes };
  const headers = JSON.stringify(one.headers);
  if (over === 'grpc')
    return { target: `${one.kind} ${one.path} as ${one.identity} ${headers}`, sent: one.writes };
  return {
    target: `HTTP/${one.version} ${one.method} ${one.path} as ${one.identity} ${headers}`,
    sent: [one.body],
  };
}
