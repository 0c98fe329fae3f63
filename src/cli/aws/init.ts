/** Makes, or compares, what the engine aws needs: the table, the SQS queues, and what is registered of them. */
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { SQSClient } from '@aws-sdk/client-sqs';
import { HoldfastError } from '../../core/errors.ts';
import { priorities as levels, type Priority } from '../../core/submission/submission.ts';
import type { ShardCounts } from '../../engines/aws/table/schema/definition.ts';
import type { AskedShards } from '../../engines/aws/table/schema/shard-counts.ts';
import { type AwsStore, awsClients, loadAws, queuesPlace, tablePlace } from '../../node/open/aws.ts';
import { systemClock } from '../../platform/clock.ts';
import type { Registry } from '../../ports/registry.ts';
import type { QueueRef } from '../../ports/task-store.ts';
import {
  initialSetting,
  queueKey,
  queueKind,
  type StoredSetting,
} from '../../service/admin/queue-settings.ts';

export interface InitRequest {
  readonly store: AwsStore;
  readonly tenant: string;
  /** None: those of the tenant that are registered. */
  readonly queues: readonly string[];
  /** Undefined: those that a queue has, else `normal` alone. */
  readonly priorities: readonly Priority[] | undefined;
  /** Of the table's indexes; they only grow. Undefined: as many as there are. */
  readonly shards?: AskedShards | undefined;
  /** Change nothing. */
  readonly check: boolean;
}

export type Did = 'created' | 'corrected' | 'unchanged' | 'missing' | 'differs';

export interface InitResult {
  readonly table: TableResult;
  readonly queues: readonly QueueResult[];
}

export interface TableResult {
  readonly name: string;
  readonly did: Did;
  readonly differs: readonly string[];
  /** `written`: those that new entries go to, fewer while a growth is new. Undefined: there is no such table, or it differs. */
  readonly shards: (ShardCounts & { readonly written: ShardCounts }) | undefined;
}

export interface QueueResult {
  readonly tenant: string;
  readonly queue: string;
  readonly priorities: readonly Priority[];
  readonly did: Did;
  readonly sqs: readonly string[];
  /** What was, or is, other than it should be, in words. */
  readonly differs: readonly string[];
}

type Aws = Awaited<ReturnType<typeof loadAws>>;

interface Site {
  readonly aws: Aws;
  readonly table: DynamoDBClient;
  readonly sqs: SQSClient;
  readonly registry: Registry;
  readonly request: InitRequest;
}

/** Of registering one queue, while others do the same. */
const tries = 5;

/** To do it twice does no harm. Nothing is ever deleted. */
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
  const site: Site = { aws, table: parts.client, sqs, registry: parts.registry, request };
  try {
    const table = await initTable(site);
    const queues: QueueResult[] = [];
    for (const queue of await queuesOf(site, table)) {
      queues.push(await initQueue(site, { tenant: request.tenant, queue }, table.did === 'missing'));
    }
    return { table, queues };
  } catch (thrown) {
    throw aws.asStartError(thrown, tablePlace(request.store));
  } finally {
    await parts.close();
    sqs.destroy();
  }
}

async function initTable(site: Site): Promise<TableResult> {
  const { aws, table, registry, request } = site;
  const { store, check, shards: asked = {} } = request;
  const { table: name } = store;
  await aws.untilMade(table, name, systemClock());
  const faults = await aws.checkTable(table, name);
  if (faults === undefined) {
    if (check) return { name, did: 'missing', differs: [], shards: undefined };
    // Somebody else was making it: looked at as any that is there.
    if (!(await aws.createTable(table, name, systemClock()))) return initTable(site);
    await aws.growShards(registry, asked);
    return { name, did: 'created', differs: [], shards: await shardsIn(site) };
  }
  const isOurs = faults.every((fault) => fault.startsWith('its time to live'));
  // Whose it is, and for what, nobody knows here: not even what could be corrected is touched.
  if (!isOurs) return { name, did: 'differs', differs: faults, shards: undefined };
  // Before anything is changed: fewer than there are is refused.
  const fewer = fewerThan(asked, (await aws.checkShards(registry, asked)).read);
  const differs = [...faults, ...fewer];
  if (!check && faults.length > 0) await aws.enableTtl(table, name);
  if (!check && fewer.length > 0) await aws.growShards(registry, asked);
  const shards = await shardsIn(site);
  if (differs.length === 0) return { name, did: 'unchanged', differs, shards };
  if (check) return { name, did: 'differs', differs, shards };
  return { name, did: 'corrected', differs: differs.map(asItWas), shards };
}

async function shardsIn({ aws, registry }: Site): Promise<TableResult['shards']> {
  const { read, written } = await aws.shardsOf(registry);
  return { ...read, written };
}

function fewerThan(asked: AskedShards, found: ShardCounts): string[] {
  return (['list', 'due'] as const)
    .filter((index) => (asked[index] ?? 0) > found[index])
    .map((index) => `its index '${index}' has ${found[index]} shards, not ${asked[index]}`);
}

async function queuesOf({ registry, request }: Site, table: TableResult): Promise<readonly string[]> {
  const { tenant, queues } = request;
  // A table of another kind can register none: for it none is looked at, nor made.
  if (table.did === 'differs' && table.shards === undefined) return [];
  if (queues.length > 0 || table.did === 'missing') return queues;
  const all = queueKey({ tenant, queue: '' });
  return (await registry.list(queueKind, all)).map(({ key }) => key.slice(all.length));
}

/** What was wrong with the table and is so no more. */
function asItWas(fault: string): string {
  return fault.replace(/ (is|has) /, (verb) => (verb === ' is ' ? ' was ' : ' had '));
}

/** Its failures are told as those of SQS, not of the table. */
async function ofSqs<T>({ aws, request }: Site, call: Promise<T>): Promise<T> {
  try {
    return await call;
  } catch (thrown) {
    throw aws.asStartError(thrown, queuesPlace(request.store));
  }
}

/**
 * Priorities are only added: who listens to one that is gone would be none, and its bells would be lost. Whoever was
 * registering the same queue meanwhile is met again, and his are kept.
 */
async function initQueue(
  site: Site,
  ref: QueueRef,
  isTableMissing: boolean,
  triesLeft = tries,
): Promise<QueueResult> {
  const { aws, sqs, registry, request } = site;
  const { store, check } = request;
  const found = isTableMissing ? undefined : await registry.get(queueKind, queueKey(ref));
  const stored = found?.value as StoredSetting | undefined;
  const had = stored === undefined ? [] : (stored.priorities ?? ['normal']);
  const wanted = new Set<Priority>([...had, ...(request.priorities ?? (had.length === 0 ? ['normal'] : []))]);
  const priorities = levels.filter((level) => wanted.has(level));
  const definitions = aws.sqsQueuesOf(store.queuePrefix ?? store.table, ref, priorities);
  const differences = await ofSqs(site, aws.checkQueues(sqs, definitions));
  const isMade = stored !== undefined;
  const isComplete = isMade && priorities.length === had.length;
  const differs = told(differences, !check);
  if (!isMade) differs.unshift(`it ${check ? 'is' : 'was'} not registered`);
  else if (!isComplete) differs.unshift(`its priorities ${check ? 'are' : 'were'} ${had.join(', ')}`);
  const result = { ...ref, priorities, sqs: definitions.map(({ name }) => name), differs };
  if (differs.length === 0) return { ...result, did: 'unchanged' };
  if (check) return { ...result, did: isMade ? 'differs' : 'missing' };
  if (differences.length > 0) await ofSqs(site, aws.createQueues(sqs, definitions));
  // Last: a queue is known once all that it needs is there.
  if (!isComplete) {
    const setting = { ...initialSetting, ...stored, priorities };
    if (!(await registry.put(queueKind, queueKey(ref), setting, found?.rev ?? 'absent'))) {
      if (triesLeft <= 1) throw changedMeanwhile(ref);
      const again = await initQueue(site, ref, isTableMissing, triesLeft - 1);
      // What this try made or corrected it finds as it should be.
      const did = again.did === 'unchanged' ? 'corrected' : again.did;
      return { ...again, did, differs: [...new Set([...differs, ...again.differs])] };
    }
  }
  return { ...result, did: isMade ? 'corrected' : 'created' };
}

function changedMeanwhile({ tenant, queue }: QueueRef): HoldfastError {
  const whose = tenant === 'default' ? '' : ` of tenant '${tenant}'`;
  const told = `The queue '${queue}'${whose} was registered or changed by others each time that it was to be registered.`;
  return new HoldfastError('ABORTED', 'CONFLICT', told, {
    help: 'Run it again once no other `aws init` runs on this table: what is there already stays.',
  });
}

interface Difference {
  readonly name: string;
  readonly attribute: string;
  readonly expected: string;
  readonly found: string | undefined;
}

/** `isDone`: they are corrected by the time that this is read. */
function told(differences: readonly Difference[], isDone: boolean): string[] {
  // Every SQS queue of ours has this attribute, and no other kind ever does.
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
