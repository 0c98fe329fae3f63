import { setTimeout as sleep } from 'node:timers/promises';
import { type Answer, type Call, type Json, type LoggedCall, serverError } from '../call.ts';
import { draw } from '../chance.ts';
import type { CallDetails, Forward, Protocol } from '../pipeline.ts';
import type { SendUpstream } from '../send-upstream.ts';
import { internalServerErrorType } from './answers.ts';
import { isBatch, withUnprocessed } from './batches.ts';
import type { DynamoFaults } from './faults.ts';
import { InFlight } from './in-flight.ts';
import { Copies, type CopyKind, isCopy } from './lag/copies.ts';
import { KeyedMutex, SharedLock } from './lag/locks.ts';
import { backFrom, redirected, rewritten } from './lag/redirect.ts';
import { keyName, Schemas } from './lag/schemas.ts';
import { Tears } from './tear/tears.ts';
import { asRequested, charge, withCapacityRequested } from './throttle/capacity.ts';
import { type CapacityTarget, LimitBook } from './throttle/limits.ts';
import { targetsOfQuery, targetsOfTouch } from './throttle/targets.ts';
import { type AdmittedRequest, admit, forcedThrottle } from './throttle/throttle.ts';
import { expressionsOf, type Touch, tablesOf, touchesOf } from './throttle/touches.ts';

const queries = new Set(['Query', 'Scan']);
const readsSeveral = /^(Query|Scan|BatchGetItem)$/;
const onItems = /^(Get|Put|Update|Delete)Item$|^Batch(Get|Write)Item$|^Transact(Get|Write)Items$/;

/** Applies the faults of the DynamoDB proxy to calls. */
export class DynamoProtocol implements Protocol {
  readonly copies: Copies;
  readonly tears: Tears;
  readonly #schemas: Schemas;
  readonly #seed: number;
  readonly #now: () => number;
  readonly #inFlight = new InFlight();
  readonly #itemLocks = new KeyedMutex();
  readonly #lock = new SharedLock();
  #faults: DynamoFaults = {};
  #book: LimitBook;

  constructor(send: SendUpstream, seed: number, now: () => number) {
    this.#schemas = new Schemas(send);
    this.copies = new Copies(send, this.#schemas, seed);
    this.tears = new Tears(send, this.#schemas, seed);
    this.#seed = seed;
    this.#now = now;
    this.#book = new LimitBook([], now);
  }

  /** Replaces the faults while no request is in flight, so that each request sees one set of faults. */
  set(faults: DynamoFaults): Promise<void> {
    return this.#lock.exclusive(async () => {
      this.#faults = { ...this.#faults, ...faults };
      if ('limits' in faults) this.#book = new LimitBook(faults.limits ?? [], this.#now);
      const { indexLag, staleReads, tear } = this.#faults;
      this.tears.tear = tear;
      this.copies.lags = { laggingMs: indexLag?.upToMs ?? 0, behindMs: staleReads?.upToMs ?? 0 };
      const kinds: CopyKind[] = [];
      if (indexLag !== undefined) kinds.push('lagging');
      if (staleReads !== undefined) kinds.push('behind');
      if (kinds.length > 0 || this.#book.traceIndexWrites) await this.copies.keep(kinds);
    });
  }

  async detailsOf(operation: string, body: Json): Promise<CallDetails> {
    const touches = await touchesOf(this.#schemas, operation, body);
    return {
      resources: tablesOf(operation, body),
      index: body.IndexName as string | undefined,
      keys: touches.map(({ key }) => JSON.stringify(key)),
      expressions: expressionsOf(operation, body),
    };
  }

  serve(call: LoggedCall, forward: Forward): Promise<Answer> {
    const { operation } = call;
    if (/^(Create|Update|Delete)Table$/.test(operation)) {
      return this.#lock.exclusive(() => this.#onTable(call, forward));
    }
    if (queries.has(operation) || onItems.test(operation)) {
      return this.#lock.shared(() => this.#onItems(call, forward));
    }
    return operation === 'ListTables' ? this.#listTables(forward) : forward();
  }

  held(call: Call): Promise<void> {
    return this.tears.shown(call);
  }

  throttled(call: Call): Answer {
    const mode = this.#faults.billing ?? 'provisioned';
    return forcedThrottle(mode, call.operation, call.keys.length, call.resources[0] ?? '');
  }

  serverError(): Answer {
    return serverError(internalServerErrorType);
  }

  async #listTables(forward: Forward): Promise<Answer> {
    const answer = await forward();
    const body = JSON.parse(answer.body) as { TableNames?: string[] };
    const TableNames = body.TableNames?.filter((name) => !isCopy(name));
    return TableNames?.length === body.TableNames?.length
      ? answer
      : rewritten(answer, { ...body, TableNames });
  }

  async #onTable(call: LoggedCall, forward: Forward): Promise<Answer> {
    const table = String(call.body.TableName);
    const answer = await forward();
    if (answer.status !== 200) return answer;
    this.#schemas.forget(table);
    if (call.operation !== 'CreateTable') await this.copies.remove(table);
    if (call.operation !== 'DeleteTable') await this.copies.add(table);
    return answer;
  }

  async #onItems(call: LoggedCall, forward: Forward): Promise<Answer> {
    const touches = await touchesOf(this.#schemas, call.operation, call.body);
    const admitted = await this.#admit(call, touches);
    if ('status' in admitted) {
      call.fault = 'throttled';
      return admitted;
    }
    const entry = {
      operation: call.operation,
      keyNames: touches.map(({ schema, key }) => keyName(schema, key)),
      clientToken: call.body.ClientRequestToken as string | undefined,
    };
    const { conflicts } = this.#faults;
    if (conflicts === undefined) return this.#inOrder(call, touches, admitted, forward);
    const conflict = this.#inFlight.enter(entry);
    if (conflict !== undefined) {
      call.fault = 'conflict';
      return conflict;
    }
    try {
      const answer = await this.#inOrder(call, touches, admitted, forward);
      if (conflicts.holdMs > 0) await sleep(conflicts.holdMs);
      return answer;
    } finally {
      this.#inFlight.leave(entry);
    }
  }

  async #admit(call: Call, touches: readonly Touch[]): Promise<AdmittedRequest | Answer> {
    const { operation, body } = call;
    if (this.#book.size === 0) return { body, targets: [], unprocessed: {} };
    const targets: readonly (readonly CapacityTarget[])[] = queries.has(operation)
      ? [await targetsOfQuery(this.#schemas, body)]
      : touches.map((touch) => targetsOfTouch(touch, this.copies));
    return admit(this.#book, this.#faults.billing ?? 'provisioned', operation, body, targets);
  }

  /**
   * Forwards a call. If the proxy keeps copies of tables or tears transactions, writes of one item run one at a time, and
   * the copies get each write before the next one runs.
   */
  async #inOrder(
    call: LoggedCall,
    touches: readonly Touch[],
    admitted: AdmittedRequest,
    forward: Forward,
  ): Promise<Answer> {
    const isInOrder = this.copies.tracking || this.tears.tear !== undefined;
    const writes = isInOrder ? touches.filter(({ kind }) => kind === 'write') : [];
    if (writes.length === 0) return this.#forwarded(call, admitted, forward);
    const names = writes.map(({ schema, key }) => keyName(schema, key));
    return this.#itemLocks.with(names, async () => {
      const answer = await this.tears.write(call, writes, () => this.#forwarded(call, admitted, forward));
      if (answer.status === 200 && this.copies.tracking)
        for (const write of writes) await this.copies.learn(write);
      return answer;
    });
  }

  async #forwarded(call: LoggedCall, admitted: AdmittedRequest, forward: Forward): Promise<Answer> {
    const { operation } = call;
    const stale = draw(this.#seed, 'stale', call.n) < (this.#faults.staleReads?.share ?? 0);
    const { body, names } = redirected(operation, admitted.body, (table, kind) =>
      (kind === 'lagging' ? this.#faults.indexLag !== undefined : stale)
        ? this.copies.tableOf(table, kind)
        : undefined,
    );
    if (names.size > 0) call.fault = 'from a copy';
    const limited = this.#book.size > 0;
    const send = (sent: Json): Promise<Answer> =>
      forward(sent === call.body ? undefined : JSON.stringify(sent));
    const sent = limited ? withCapacityRequested(body) : body;
    const isTorn = names.size === 0 && readsSeveral.test(operation);
    const raw = isTorn ? await this.tears.read(operation, sent, send) : await send(sent);
    let answer = backFrom(raw, names);
    if (limited) {
      charge(this.#book, admitted.targets, answer);
      answer = asRequested(answer, call.body.ReturnConsumedCapacity);
    }
    return isBatch(operation) ? withUnprocessed(operation, answer, admitted.unprocessed) : answer;
  }
}
