/**
 * Creates, corrects or only compares the parts that the engine aws needs: the table, the SQS queues and their
 * registration.
 */
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { SQSClient } from '@aws-sdk/client-sqs';
import { HoldfastError } from '../../core/errors.ts';
import { priorities as levels, type Priority } from '../../core/priority.ts';
import { type QueueRef, queueKey } from '../../core/queue-ref.ts';
import type { NameForm } from '../../engines/aws/broker/sqs/definition.ts';
import type { ShardCounts } from '../../engines/aws/table/schema/definition.ts';
import type { RequestedShards } from '../../engines/aws/table/schema/shard-counts.ts';
import { type AwsStore, awsClients, loadAws, queuesEndpoint, tableEndpoint } from '../../node/open/aws.ts';
import { systemClock } from '../../platform/clock.ts';
import type { Registry } from '../../ports/registry.ts';
import { initialSetting, queueKind, type StoredSetting } from '../../service/admin/queue-settings.ts';

export interface InitRequest {
  readonly store: AwsStore;
  readonly tenant: string;
  /** The queues to create, correct or compare. If none are named, all registered queues of the tenant are taken. */
  readonly queues: readonly string[];
  /**
   * The priorities that each queue needs. If undefined, a registered queue keeps its priorities and a new queue gets
   * `normal` alone.
   */
  readonly priorities: readonly Priority[] | undefined;
  /**
   * The numbers of shards that the table's indexes need. They can only be raised. If undefined, the numbers stay as
   * they are.
   */
  readonly shards?: RequestedShards | undefined;
  /** True to only compare the table and the queues with the request, and to change nothing. */
  readonly check: boolean;
}

export type InitStatus = 'created' | 'corrected' | 'unchanged' | 'missing' | 'differs';

export interface InitResult {
  readonly table: TableResult;
  readonly queues: readonly QueueResult[];
}

export interface TableResult {
  readonly name: string;
  readonly did: InitStatus;
  readonly differs: readonly string[];
  /**
   * The numbers of shards of the table's indexes: the shards that are read, and in `written` the shards that new
   * entries go to (fewer for some minutes after shards were added). Undefined if the table is missing or is not one of
   * Holdfast's.
   */
  readonly shards: (ShardCounts & { readonly written: ShardCounts }) | undefined;
}

export interface QueueResult {
  readonly tenant: string;
  readonly queue: string;
  readonly priorities: readonly Priority[];
  readonly did: InitStatus;
  readonly sqs: readonly string[];
  /**
   * One sentence for each difference that was found in the queue or its SQS queues and, unless `check` is set,
   * corrected.
   */
  readonly differs: readonly string[];
}

type AwsEngineModule = Awaited<ReturnType<typeof loadAws>>;

interface InitContext {
  readonly aws: AwsEngineModule;
  readonly table: DynamoDBClient;
  readonly sqs: SQSClient;
  readonly registry: Registry;
  readonly request: InitRequest;
  /** The form of the names of the installation's SQS queues. */
  readonly nameForm: NameForm;
}

/** How often `initQueue` tries to register a queue whose registration other processes change at the same time. */
const registerTries = 5;

/**
 * Creates the DynamoDB table and the SQS queues, or corrects them. May be called any number of times and deletes
 * nothing.
 */
export async function initAws(request: InitRequest): Promise<InitResult> {
  const aws = await loadAws();
  const clients = awsClients(request.store);
  await aws.ensureRegion(clients.dynamodb);
  const parts = aws.openTable({
    table: request.store.table,
    clock: systemClock(),
    client: clients.dynamodb,
  });
  const sqs = aws.sqsClient(clients.sqs);
  const { client: table, registry } = parts;
  try {
    const nameForm = await nameFormOf({ aws, table, registry, request });
    const context: InitContext = { aws, table, sqs, registry, request, nameForm };
    const made = await initTable(context);
    const queues: QueueResult[] = [];
    for (const queue of await queuesOf(context, made)) {
      queues.push(await initQueue(context, { tenant: request.tenant, queue }, made.did === 'missing'));
    }
    return { table: made, queues };
  } catch (thrown) {
    throw aws.asStartError(thrown, tableEndpoint(request.store));
  } finally {
    await parts.close();
    sqs.destroy();
  }
}

function prefixOf({ queuePrefix, table }: AwsStore): string {
  return queuePrefix ?? table;
}

/**
 * Returns the form of the names of the installation's SQS queues: that of version 0.1.0 if that version registered a queue,
 * otherwise the new one.
 *
 * @throws HoldfastError INVALID_ARGUMENT if the prefix cannot begin new names. Nothing was created then.
 */
async function nameFormOf(context: Omit<InitContext, 'sqs' | 'nameForm'>): Promise<NameForm> {
  const { aws, table, registry, request } = context;
  const { table: name } = request.store;
  await aws.waitWhileCreating(table, name, systemClock());
  const faults = await aws.checkTable(table, name);
  const isOurs = faults?.every((fault) => fault.startsWith('its time to live')) === true;
  const registered = isOurs ? await registry.list(queueKind, '') : [];
  if (registered.some(({ value }) => (value as StoredSetting).nameForm === undefined)) return 1;
  const prefix = prefixOf(request.store);
  const fault = aws.prefixFault(prefix);
  if (fault === undefined || (faults !== undefined && !isOurs)) return aws.newNameForm;
  const message = `The names of SQS queues cannot begin with '${prefix}': it ${fault}.`;
  throw new HoldfastError('INVALID_ARGUMENT', 'BAD_FIELD', message, {
    help: 'Give --queue-prefix (or HOLDFAST_AWS_QUEUE_PREFIX), the same to every process: 1 to 24 letters, digits, - and single _, the last character no _.',
  });
}

async function initTable(context: InitContext): Promise<TableResult> {
  const { aws, table, registry, request } = context;
  const { store, check, shards: requested = {} } = request;
  const { table: name } = store;
  await aws.waitWhileCreating(table, name, systemClock());
  const faults = await aws.checkTable(table, name);
  if (faults === undefined) {
    if (check) return { name, did: 'missing', differs: [], shards: undefined };
    // Another process created the table first, so the table is compared like any other table that exists.
    if (!(await aws.createTable(table, name, systemClock()))) return initTable(context);
    await aws.raiseTableSchema(registry);
    await aws.growShards(registry, requested);
    return { name, did: 'created', differs: [], shards: await shardsIn(context) };
  }
  const isOurs = faults.every((fault) => fault.startsWith('its time to live'));
  // A table with other keys or indexes belongs to somebody else. Nothing of it is changed, not even its time to live.
  if (!isOurs) return { name, did: 'differs', differs: faults, shards: undefined };
  // The shard counts are checked before anything is changed: the check rejects a request for fewer shards than the
  // table has.
  const fewer = missingShards(requested, (await aws.checkShards(registry, requested)).read);
  const differs = [...faults, ...fewer];
  if (!check && faults.length > 0) await aws.enableTtl(table, name);
  if (!check) await aws.raiseTableSchema(registry);
  if (!check && fewer.length > 0) await aws.growShards(registry, requested);
  const shards = await shardsIn(context);
  if (differs.length === 0) return { name, did: 'unchanged', differs, shards };
  if (check) return { name, did: 'differs', differs, shards };
  return { name, did: 'corrected', differs: differs.map(inPastTense), shards };
}

async function shardsIn({ aws, registry }: InitContext): Promise<TableResult['shards']> {
  const { read, written } = await aws.readShardCounts(registry);
  return { ...read, written };
}

function missingShards(requested: RequestedShards, found: ShardCounts): string[] {
  return (['list', 'due'] as const)
    .filter((index) => (requested[index] ?? 0) > found[index])
    .map((index) => `its index '${index}' has ${found[index]} shards, not ${requested[index]}`);
}

async function queuesOf({ registry, request }: InitContext, table: TableResult): Promise<readonly string[]> {
  const { tenant, queues } = request;
  // No queue can be registered in a table that is not one of Holdfast's.
  if (table.did === 'differs' && table.shards === undefined) return [];
  if (queues.length > 0 || table.did === 'missing') return queues;
  const all = queueKey({ tenant, queue: '' });
  return (await registry.list(queueKind, all)).map(({ key }) => key.slice(all.length));
}

/** Rewrites the description of a table's fault in the past tense, once the fault was corrected. */
function inPastTense(fault: string): string {
  return fault.replace(/ (is|has) /, (verb) => (verb === ' is ' ? ' was ' : ' had '));
}

/** Awaits a call to SQS. If the call fails, the error names the endpoint of SQS and not that of DynamoDB. */
async function callSqs<T>({ aws, request }: InitContext, call: Promise<T>): Promise<T> {
  try {
    return await call;
  } catch (thrown) {
    throw aws.asStartError(thrown, queuesEndpoint(request.store));
  }
}

/**
 * Creates, corrects or compares one queue. Priorities are only added: nobody would receive the messages of a removed
 * priority, and these messages would be lost. If another process registers the queue at the same time, the priorities
 * that it registered are read and kept.
 */
async function initQueue(
  context: InitContext,
  ref: QueueRef,
  isTableMissing: boolean,
  triesLeft = registerTries,
): Promise<QueueResult> {
  const { aws, sqs, registry, request, nameForm } = context;
  const { store, check } = request;
  const found = isTableMissing ? undefined : await registry.get(queueKind, queueKey(ref));
  const stored = found?.value as StoredSetting | undefined;
  const registered = stored === undefined ? [] : (stored.priorities ?? ['normal']);
  const wanted = new Set<Priority>([
    ...registered,
    ...(request.priorities ?? (registered.length === 0 ? ['normal'] : [])),
  ]);
  const priorities = levels.filter((level) => wanted.has(level));
  const definitions = aws.sqsQueuesOf(prefixOf(store), ref, priorities, nameForm);
  const differences = await callSqs(context, aws.checkQueues(sqs, definitions));
  const isRegistered = stored !== undefined;
  const isComplete = isRegistered && priorities.length === registered.length;
  const differs = differenceTexts(differences, !check);
  if (!isRegistered) differs.unshift(`it ${check ? 'is' : 'was'} not registered`);
  else if (!isComplete) differs.unshift(`its priorities ${check ? 'are' : 'were'} ${registered.join(', ')}`);
  const result = { ...ref, priorities, sqs: definitions.map(({ name }) => name), differs };
  if (differs.length === 0) return { ...result, did: 'unchanged' };
  if (check) return { ...result, did: isRegistered ? 'differs' : 'missing' };
  if (differences.length > 0) await callSqs(context, aws.createQueues(sqs, definitions));
  // The queue is registered last, so that every registered queue has its SQS queues.
  if (!isComplete) {
    const setting = { ...initialSetting, ...stored, priorities, ...(nameForm !== 1 && { nameForm }) };
    if (!(await registry.put(queueKind, queueKey(ref), setting, found?.rev ?? 'absent'))) {
      if (triesLeft <= 1) throw changedMeanwhile(ref);
      const again = await initQueue(context, ref, isTableMissing, triesLeft - 1);
      // If the next try to register the queue finds no difference, the result is `corrected` and not `unchanged`,
      // because this try created or corrected something.
      const did = again.did === 'unchanged' ? 'corrected' : again.did;
      return { ...again, did, differs: [...new Set([...differs, ...again.differs])] };
    }
  }
  return { ...result, did: isRegistered ? 'corrected' : 'created' };
}

function changedMeanwhile({ tenant, queue }: QueueRef): HoldfastError {
  const whose = tenant === 'default' ? '' : ` of tenant '${tenant}'`;
  const message = `The queue '${queue}'${whose} could not be registered: other processes changed its registration each time.`;
  return new HoldfastError('ABORTED', 'CONFLICT', message, {
    help: 'Run it again when no other `aws init` runs on this table. Everything that was made stays.',
  });
}

interface Difference {
  readonly name: string;
  readonly attribute: string;
  readonly expected: string;
  readonly found: string | undefined;
}

/**
 * Describes each difference between an SQS queue and its definition, in the past tense if it is corrected (`isDone`).
 */
function differenceTexts(differences: readonly Difference[], isDone: boolean): string[] {
  // The name of each SQS queue of Holdfast ends in `.fifo`. SQS returns the attribute `FifoQueue` for each such queue
  // that exists. If the attribute is missing, so is the queue.
  const missing = differences.filter(({ attribute, found }) => attribute === 'FifoQueue' && !found);
  const absent = new Set(missing.map(({ name }) => name));
  return [
    ...[...absent].map((name) => `${name} ${isDone ? 'was missing, and was made' : 'is missing'}`),
    ...differences
      .filter(({ name }) => !absent.has(name))
      .map(
        ({ name, attribute, expected, found }) =>
          `${name}: ${attribute} ${isDone ? 'was' : 'is'} ${found ?? 'absent'}, not ${expected}`,
      ),
  ];
}
