/**
 * Runs the steps of a scenario: it holds one node on the table and its queues, and makes the calls of clients and
 * workers.
 */
import { noOptions } from '../../../src/core/codec/options.ts';
import { encodeSpec } from '../../../src/core/codec/spec.ts';
import type { Assignment, OutcomeKind } from '../../../src/core/messages.ts';
import type { OptionsRequest } from '../../../src/core/submission/submission.ts';
import { type AwsEngine, aws } from '../../../src/engines/aws/index.ts';
import { addressOf, shardOf } from '../../../src/engines/aws/table/schema/ids.ts';
import { type Log, silentLog } from '../../../src/ports/log.ts';
import { sweep } from '../../../src/runtime/sweep.ts';
import { createService, type RunningService } from '../../../src/service/create-service.ts';
import { type MovingClock, movingClock } from '../../fixtures/moving-clock.ts';
import { clientOf } from '../../stand-ins/dynoxide.ts';
import type { StoreAtTime } from './child-messages.ts';

export const queue = { tenant: 'default', queue: 'points' };
export const type = 'point';
/** A time after which a lease and its guard of 2 s have certainly passed. */
export const leaseExpiredMs = 33_000;
const never = new AbortController().signal;
const claimTries = 4;

export interface DriverOptions {
  readonly store: StoreAtTime;
  readonly move: (ms: number) => Promise<void>;
  /** Called with `key:event` after each call that was answered. */
  readonly onAcknowledged: (event: string) => void;
  readonly log?: Log | undefined;
}

export interface TaskRequest {
  readonly lane?: string | undefined;
  readonly options?: Partial<OptionsRequest> | undefined;
}

export class ScenarioDriver {
  readonly clock: MovingClock;
  readonly engine: AwsEngine;
  readonly running: RunningService;
  readonly ids = new Map<string, string>();
  readonly #options: DriverOptions;

  private constructor(
    options: DriverOptions,
    clock: MovingClock,
    engine: AwsEngine,
    running: RunningService,
  ) {
    this.#options = options;
    this.clock = clock;
    this.engine = engine;
    this.running = running;
  }

  static async open(options: DriverOptions): Promise<ScenarioDriver> {
    const { store, log = silentLog } = options;
    const { table, dynamodb, sqs, movedMs } = store;
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
    return new ScenarioDriver(options, clock, engine, running);
  }

  get service(): RunningService['service'] {
    return this.running.service;
  }

  async move(ms: number): Promise<void> {
    await this.#options.move(ms);
    this.clock.move(ms);
  }

  /** Makes the AWS requests that each process makes once, so that they are not crash points of every scenario. */
  async warmUp(): Promise<void> {
    await this.running.context.queues.ensure(queue);
    await this.take(1);
    await this.running.context.store.countDueShards?.();
  }

  async submit(key: string, { lane, options = {} }: TaskRequest = {}): Promise<void> {
    const bytes = new TextEncoder().encode(JSON.stringify({ key }));
    const payload = { contentType: 'application/json', encoding: '', keyId: '', bytes, reference: '' };
    const spec = encodeSpec({ type, typeVersion: 1, orderingKey: lane, payload });
    const item = { key, spec, options: { ...noOptions, ...options }, traceparent: '' };
    const [result] = await this.service.submit(queue, [item], { notAfterMs: undefined });
    if (result === undefined || result.error !== undefined) throw new Error(result?.error.message);
    this.ids.set(key, result.id);
    this.#options.onAcknowledged(`${key}:submitted`);
  }

  /** Returns the id of the newest task that was submitted with this key. */
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

  /**
   * Claims one task. If its dispatch message was lost on the way, the claim waits until the message is visible again.
   */
  async claim(key: string): Promise<Assignment> {
    for (let i = 0; i < claimTries; i++) {
      const [task] = await this.take(1);
      if (task !== undefined) {
        if (task.key !== key) throw new Error(`${task.key} was received before ${key}`);
        return task;
      }
      await this.running.settled();
      await this.move(leaseExpiredMs);
    }
    throw new Error(`${key} was never received`);
  }

  async settle(
    { key, lease }: Assignment,
    outcome: OutcomeKind = 'succeeded',
    resultBytes = 0,
  ): Promise<void> {
    const result = resultBytes === 0 ? undefined : crypto.getRandomValues(new Uint8Array(resultBytes));
    const failed = outcome === 'failed' || outcome === 'fatal';
    const failure = {
      message: failed ? 'no' : '',
      errorType: '',
      afterMs: failed ? 1_000 : undefined,
      begun: false,
    };
    const { results } = await this.service.settle([{ lease, outcome, result, ...failure }], {
      tenant: queue.tenant,
      sessionId: undefined,
    });
    const [answer] = results;
    if (answer?.error !== undefined) throw new Error(answer.error.message);
    this.#options.onAcknowledged(`${key}:${outcome === 'fatal' ? 'died' : outcome}`);
    await this.running.settled();
  }

  async cancel(key: string): Promise<void> {
    await this.#cancel(key);
    this.#options.onAcknowledged(`${key}:cancelled`);
    await this.running.settled();
  }

  /** Requests the cancellation of a running task, which its worker must confirm. */
  async cancelRequest(key: string): Promise<void> {
    await this.#cancel(key);
    this.#options.onAcknowledged(`${key}:cancelRequested`);
  }

  async #cancel(key: string): Promise<void> {
    await this.service.cancel(queue.tenant, this.id(key), { actor: 'operator', message: '' });
  }

  async redrive(key: string): Promise<void> {
    await this.service.redrive(queue.tenant, this.id(key), 'operator');
    this.#options.onAcknowledged(`${key}:redriven`);
    await this.running.settled();
  }

  /** Waits until the indexes have caught up with the table. A reader of an index sees a write a little later. */
  async caughtUp(): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, this.#options.store.lagMs));
  }

  async sweep(): Promise<void> {
    await this.caughtUp();
    await sweep(this.running.context, never, (shard) => this.#shards().has(shard));
    await this.running.settled();
  }

  /**
   * Returns the shards of the due index that may hold the scenario's tasks. A query of another shard would be a useless
   * crash point.
   */
  #shards(): ReadonlySet<number> {
    const { dueShards } = this.running.context.store;
    const slots = [...this.ids.values()].map((id) => addressOf(id)?.slot ?? '');
    return new Set(slots.map((slot) => shardOf(slot, dueShards)));
  }

  async close(): Promise<void> {
    await this.running.settled();
    await this.engine.close();
  }
}
