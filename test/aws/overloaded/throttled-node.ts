/**
 * A node whose DynamoDB table and SQS queues a test can throttle or make unreachable, with the calls that clients and
 * workers make to the node.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { noOptions } from '../../../src/core/codec/options.ts';
import { encodeSpec } from '../../../src/core/codec/spec.ts';
import { timing } from '../../../src/core/limits.ts';
import type { Assignment, HeartbeatAnswer, SubmitItem, SubmitOk } from '../../../src/core/messages.ts';
import {
  type AwsEngine,
  aws,
  createQueues,
  createTable,
  sqsQueuesOf,
  tableClient,
} from '../../../src/engines/aws/index.ts';
import { systemClock } from '../../../src/platform/clock.ts';
import type { Clock } from '../../../src/ports/clock.ts';
import type { Log } from '../../../src/ports/log.ts';
import type { LoadView } from '../../../src/ports/overload.ts';
import { createService, type RunningService } from '../../../src/service/create-service.ts';
import { clientOf, startDynoxide } from '../../stand-ins/dynoxide.ts';
import { startFauxqs } from '../../stand-ins/fauxqs.ts';
import { type DynamoProxy, startDynamoProxy } from '../../stand-ins/proxy/dynamo-proxy.ts';
import { type SqsProxy, startSqsProxy } from '../../stand-ins/proxy/sqs-proxy.ts';
import { standInClient } from '../../stand-ins/sqs-stand-in.ts';

export const mail = { tenant: 'default', queue: 'mail' };
const from = { tenant: mail.tenant, sessionId: undefined };

export class ThrottledNode {
  readonly table: DynamoProxy;
  readonly sqs: SqsProxy;
  readonly engine: AwsEngine;
  readonly running: RunningService;
  /** Messages of the node's log lines, without the fields of the lines. */
  readonly logMessages: string[];
  readonly #done = new Set<string>();

  constructor(parts: Pick<ThrottledNode, 'table' | 'sqs' | 'engine' | 'running' | 'logMessages'>) {
    this.table = parts.table;
    this.sqs = parts.sqs;
    this.engine = parts.engine;
    this.running = parts.running;
    this.logMessages = parts.logMessages;
  }

  get load(): LoadView {
    return this.engine.overload.view();
  }

  /** Submits one task. Throws the error if the task is not accepted. */
  async submit(key: string): Promise<SubmitOk> {
    const items = [itemOf(key)];
    const [result] = await this.running.service.submit(mail, items, { notAfterMs: undefined });
    if (result === undefined || result.error !== undefined) throw result?.error;
    return result;
  }

  /**
   * Submits a task with the same key until it is accepted, and waits after each refusal for as long as the error
   * says.
   */
  async submitUntilAccepted(key: string): Promise<SubmitOk> {
    for (;;) {
      try {
        return await this.submit(key);
      } catch (thrown) {
        await sleep((thrown as { retryAfterMs?: number }).retryAfterMs ?? 100);
      }
    }
  }

  async claim(maxTasks: number, waitMs: number): Promise<readonly Assignment[]> {
    return this.running.service.claim({
      tenant: mail.tenant,
      workerName: 'w',
      workerId: 'w-1',
      queues: [mail.queue],
      types: [{ type: 'send', maxVersion: 1 }],
      maxTasks,
      waitMs,
      requestId: '',
      signal: new AbortController().signal,
    });
  }

  /** Submits and claims `count` tasks. The test must renew and settle them. */
  async claimNew(count: number): Promise<readonly Assignment[]> {
    const ids = await Promise.all(Array.from({ length: count }, (_, i) => this.submit(`leased-${i}`)));
    const leased: Assignment[] = [];
    while (leased.length < ids.length) leased.push(...(await this.claim(10, 1_000)));
    return leased;
  }

  async heartbeat(leased: readonly Assignment[]): Promise<readonly HeartbeatAnswer['verdict'][]> {
    const items = leased.map(({ lease }) => ({ lease, begun: true, progress: undefined }));
    const answers = await this.running.service.heartbeat(items, from);
    return answers.map(({ verdict }) => verdict);
  }

  /** Renews each lease before it expires. As workers do, it tries a failed renewal again after a second. */
  async renewAll(leased: readonly Assignment[]): Promise<void> {
    const untilMs = performance.now() + timing.heartbeatMs;
    let left = leased;
    while (left.length > 0) {
      const verdicts = await this.heartbeat(left);
      if (verdicts.includes('leaseLost')) throw new Error('a lease was lost');
      left = left.filter((_, i) => verdicts[i] !== 'renewed');
      if (performance.now() > untilMs) throw new Error(`${left.length} leases could not be renewed in time`);
      if (left.length > 0) await sleep(1_000);
    }
  }

  /** Settles the task of every lease. As workers do, it tries a failed settlement again after a second. */
  async settle(leased: readonly Assignment[]): Promise<void> {
    let left = leased;
    while (left.length > 0) {
      const items = left.map(({ lease }) => ({
        lease,
        outcome: 'succeeded' as const,
        result: undefined,
        message: '',
        errorType: '',
        afterMs: undefined,
        begun: false,
      }));
      const { results } = await this.running.service.settle(items, from);
      left = left.filter((_, i) => results[i]?.error !== undefined);
      if (left.length > 0) await sleep(1_000);
    }
  }

  /** Claims and settles tasks until the tasks with these ids have succeeded. */
  async workUntilDone(ids: ReadonlySet<string>): Promise<void> {
    const left = ids.difference(this.#done);
    while (left.size > 0) {
      const claimed = await this.claim(10, 1_000).catch(async () => {
        await sleep(500);
        return [];
      });
      await this.settle(claimed);
      for (const { id } of claimed) {
        this.#done.add(id);
        left.delete(id);
      }
    }
  }

  /** Returns the kinds of events in the histories of these tasks. */
  async eventKinds(ids: Iterable<string>): Promise<Set<string>> {
    const kinds = new Set<string>();
    for (const id of ids) {
      for (const { kind } of await this.running.service.history(mail.tenant, id, 0)) kinds.add(kind);
    }
    return kinds;
  }
}

function itemOf(key: string): SubmitItem {
  const bytes = new TextEncoder().encode(`{"key":"${key}"}`);
  const payload = { contentType: 'application/json', encoding: '', keyId: '', bytes, reference: '' };
  const spec = encodeSpec({ type: 'send', typeVersion: 1, orderingKey: undefined, payload });
  return { key, spec, options: noOptions, traceparent: '' };
}

/** Runs a test on a node with its own stand-ins for DynamoDB and SQS, on the machine's clock. */
export async function withThrottledNode(
  use: (node: ThrottledNode, clock: Clock) => Promise<void>,
): Promise<void> {
  const ends: (() => Promise<unknown>)[] = [];
  try {
    const [dynoxide, fauxqs] = await Promise.all([startDynoxide(), startFauxqs()]);
    ends.push(dynoxide.stop, fauxqs.stop);
    const table = await startDynamoProxy({ upstream: dynoxide.endpoint, seed: 1 });
    const sqs = await startSqsProxy({ upstream: fauxqs.endpoint, seed: 1 });
    ends.push(table.close, sqs.close);
    const clock = systemClock();
    const client = tableClient(clientOf(table.url));
    await createTable(client, 'overloaded', clock);
    client.destroy();
    const queues = standInClient(sqs.url);
    await createQueues(queues, sqsQueuesOf('overloaded', mail));
    queues.destroy();
    const logMessages: string[] = [];
    const note = (_fields: object, message: string): void => void logMessages.push(message);
    const log: Log = { debug() {}, info: note, warn: note, error: note };
    const engine = aws({
      table: 'overloaded',
      clock,
      log,
      dynamodb: clientOf(table.url),
      sqs: { ...clientOf(sqs.url), useQueueUrlAsEndpoint: false },
    });
    ends.push(engine.close);
    const running = await createService({ ...engine, node: 'n', clock, log, createQueues: true });
    await running.context.queues.ensure(mail);
    await use(new ThrottledNode({ table, sqs, engine, running, logMessages }), clock);
    await running.settled();
  } finally {
    for (const end of ends.toReversed()) await end();
  }
}
