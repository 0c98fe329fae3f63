/** What a scenario is played with: one node on the table and its queues, and the callers' side of it. */
import { noOptions } from '../../../src/core/codec/options.ts';
import { encodeSpec } from '../../../src/core/codec/spec.ts';
import type { Assignment, OutcomeKind } from '../../../src/core/messages.ts';
import type { OptionsRequest } from '../../../src/core/submission/submission.ts';
import { type AwsEngine, aws } from '../../../src/engines/aws/index.ts';
import { placeOf, shardOf } from '../../../src/engines/aws/table/schema/ids.ts';
import { type Log, silentLog } from '../../../src/ports/log.ts';
import { sweep } from '../../../src/runtime/sweep.ts';
import { createService, type RunningService } from '../../../src/service/create-service.ts';
import { type MovingClock, movingClock } from '../../fixtures/moving-clock.ts';
import { clientOf } from '../../stand-ins/dynoxide.ts';
import type { Now } from './child-messages.ts';

export const queue = { tenant: 'default', queue: 'points' };
export const type = 'point';
/** A lease and its guard, and some more. */
export const leaseExpiredMs = 33_000;
const never = new AbortController().signal;
const tries = 4;

export interface StageOptions {
  readonly place: Now;
  readonly move: (ms: number) => Promise<void>;
  readonly promise: (what: string) => void;
  readonly log?: Log | undefined;
}

export interface Asked {
  readonly lane?: string | undefined;
  readonly options?: Partial<OptionsRequest> | undefined;
}

export class Stage {
  readonly clock: MovingClock;
  readonly engine: AwsEngine;
  readonly running: RunningService;
  readonly ids = new Map<string, string>();
  readonly #options: StageOptions;

  private constructor(options: StageOptions, clock: MovingClock, engine: AwsEngine, running: RunningService) {
    this.#options = options;
    this.clock = clock;
    this.engine = engine;
    this.running = running;
  }

  static async open(options: StageOptions): Promise<Stage> {
    const { place, log = silentLog } = options;
    const { table, dynamodb, sqs, movedMs } = place;
    const clock = movingClock();
    clock.move(movedMs);
    const engine = aws({
      table,
      clock,
      dynamodb: clientOf(dynamodb),
      sqs: { ...clientOf(sqs), useQueueUrlAsEndpoint: false },
    });
    const node = `node-${process.pid}`;
    const running = await createService({ ...engine, node, clock, log, createQueues: true });
    return new Stage(options, clock, engine, running);
  }

  get service(): RunningService['service'] {
    return this.running.service;
  }

  async move(ms: number): Promise<void> {
    await this.#options.move(ms);
    this.clock.move(ms);
  }

  /** Looks up what a process looks up once in its life, so that it is not a point of every scenario. */
  async warmUp(): Promise<void> {
    await this.running.context.queues.ensure(queue);
    await this.take(1);
    await this.running.context.store.countDueShards?.();
  }

  async submit(key: string, { lane, options = {} }: Asked = {}): Promise<void> {
    const bytes = new TextEncoder().encode(JSON.stringify({ key }));
    const payload = { contentType: 'application/json', encoding: '', keyId: '', bytes, reference: '' };
    const spec = encodeSpec({ type, typeVersion: 1, orderingKey: lane, payload });
    const item = { key, spec, options: { ...noOptions, ...options }, traceparent: '' };
    const [result] = await this.service.submit(queue, [item], { notAfterMs: undefined });
    if (result === undefined || result.error !== undefined) throw new Error(result?.error.message);
    this.ids.set(key, result.id);
    this.#options.promise(`${key}:submitted`);
  }

  /** The id of a task by its key, as a caller knows it. */
  id(key: string): string {
    return this.ids.get(key) ?? '';
  }

  async take(maxTasks: number): Promise<readonly Assignment[]> {
    return this.service.claim({
      tenant: queue.tenant,
      workerName: `worker-${process.pid}`,
      workerId: '1',
      queues: [queue.queue],
      types: [{ type, maxVersion: 1 }],
      maxTasks,
      waitMs: 0,
      requestId: '',
      signal: never,
    });
  }

  /** One task. A bell whose message was lost on its way comes back when its time is over. */
  async claim(key: string): Promise<Assignment> {
    for (let i = 0; i < tries; i++) {
      const [task] = await this.take(1);
      if (task !== undefined) {
        if (task.key !== key) throw new Error(`got ${task.key} before ${key}`);
        return task;
      }
      await this.running.settled();
      await this.move(leaseExpiredMs);
    }
    throw new Error(`${key} was never heard of`);
  }

  async settle(
    { key, lease }: Assignment,
    outcome: OutcomeKind = 'succeeded',
    resultBytes = 0,
  ): Promise<void> {
    const result = resultBytes === 0 ? undefined : crypto.getRandomValues(new Uint8Array(resultBytes));
    const failed = outcome === 'failed' || outcome === 'fatal';
    const told = { message: failed ? 'no' : '', errorType: '', afterMs: failed ? 1_000 : undefined };
    const { results } = await this.service.settle([{ lease, outcome, result, ...told }], {
      tenant: queue.tenant,
      sessionId: undefined,
    });
    const [answer] = results;
    if (answer?.error !== undefined) throw new Error(answer.error.message);
    this.#options.promise(`${key}:${outcome === 'fatal' ? 'died' : outcome}`);
    await this.running.settled();
  }

  async cancel(key: string): Promise<void> {
    await this.#cancel(key);
    this.#options.promise(`${key}:cancelled`);
    await this.running.settled();
  }

  /** Of a running task: only asked for. */
  async cancelRequest(key: string): Promise<void> {
    await this.#cancel(key);
    this.#options.promise(`${key}:cancelRequested`);
  }

  async #cancel(key: string): Promise<void> {
    await this.service.cancel(queue.tenant, this.id(key), { actor: 'operator', message: '' });
  }

  async redrive(key: string): Promise<void> {
    await this.service.redrive(queue.tenant, this.id(key), 'operator');
    this.#options.promise(`${key}:redriven`);
    await this.running.settled();
  }

  /** So that what was written is in the indexes: whoever polls them sees it a little later. */
  async caughtUp(): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, this.#options.place.lagMs));
  }

  async sweep(): Promise<void> {
    await this.caughtUp();
    await sweep(this.running.context, never, (shard) => this.#shards().has(shard));
    await this.running.settled();
  }

  /** Those that its tasks are due in: a query of any other would be a point that can tell nothing. */
  #shards(): ReadonlySet<number> {
    const { dueShards } = this.running.context.store;
    const slots = [...this.ids.values()].map((id) => placeOf(id)?.slot ?? '');
    return new Set(slots.map((slot) => shardOf(slot, dueShards)));
  }

  async close(): Promise<void> {
    await this.running.settled();
    await this.engine.close();
  }
}
