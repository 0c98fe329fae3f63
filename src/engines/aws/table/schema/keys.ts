/**
 * Makes every key of the DynamoDB table and of its indexes; no other file makes keys. docs/table-design.md lists the
 * access pattern that uses each key. Names of tenants and queues contain no `#`, so the parts of a key cannot be
 * confused.
 */
import { createHash } from 'node:crypto';
import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import { type QueueRef, queueKey } from '../../../../core/queue-ref.ts';
import type { LaneKey, TaskId } from '../../../../ports/task-store.ts';
import { type ItemAddress, idOf } from './ids.ts';

export type Item = Record<string, AttributeValue>;
export type Key = { readonly pk: AttributeValue; readonly sk: AttributeValue };

/** Names of the key attributes: of the table, then of its three sparse indexes. */
export const keyNames = {
  table: ['pk', 'sk'],
  list: ['lp', 'ls'],
  due: ['dp', 'ds'],
  exceptions: ['ep', 'es'],
} as const;

/** Name of the TTL attribute, which holds seconds since the epoch. */
export const ttlName = 'x';

const s = (text: string): AttributeValue => ({ S: text });
const key = (pk: string, sk: string): Key => ({ pk: s(pk), sk: s(sk) });
const taskPrefix = 'T#';

function taskPartition({ slot, mark, anchor }: ItemAddress): string {
  return anchor ? `${taskPrefix}${slot}` : `${taskPrefix}${slot}~${mark.toString(36)}`;
}

/**
 * Returns the key of a task's submission item (`S`). The submission item of an anchor, the first task of an
 * idempotency key, also records which task holds the key now.
 */
export function submissionKey(address: ItemAddress): Key {
  return key(taskPartition(address), 'S');
}

/** Returns the slot of a task's partition key, or undefined if it is that of something else. */
export function slotOfPartition(pk: string): string | undefined {
  return pk.startsWith(taskPrefix) ? pk.slice(taskPrefix.length).split('~')[0] : undefined;
}

/**
 * Returns the key of a slot's anchor, which is the submission item of the first task of an idempotency key. The key
 * does not depend on the time of acceptance.
 */
export function anchorKey(slot: string): Key {
  return key(`${taskPrefix}${slot}`, 'S');
}

/** Returns the key of a task's head item (`H`). */
export function headKey(address: ItemAddress): Key {
  return key(taskPartition(address), 'H');
}

/**
 * Returns the id of a task from the partition key of one of its items and from its mark, the time of its acceptance in
 * ms.
 */
export function idFromPartition(pk: string, mark: number): TaskId {
  const slot = slotOfPartition(pk) ?? '';
  return idOf({ slot, mark, anchor: !pk.includes('~') });
}

const overflowPrefix = 'E#';
const eventNumber = (version: number): string => version.toString(36).padStart(6, '0');

/**
 * Returns the key of an item `E`, which holds events that were moved out of a task's head. The key contains the
 * numbers of the first and the last of these events.
 */
export function overflowKey(address: ItemAddress, first: number, last: number): Key {
  return key(taskPartition(address), `${overflowPrefix}${eventNumber(first)}-${eventNumber(last)}`);
}

export function overflowRange(address: ItemAddress): { readonly pk: string; readonly prefix: string } {
  return { pk: taskPartition(address), prefix: overflowPrefix };
}

/** Returns the key of an item `R`, which holds a large result. The task's head stores the name of that item. */
export function resultKey(address: ItemAddress, name: string): Key {
  return key(taskPartition(address), `R#${name}`);
}

const laneSeqChars = 10;

function lanePartition({ tenant, queue, orderingKey }: LaneKey): string {
  const hash = createHash('sha256');
  for (const part of [tenant, queue, orderingKey]) hash.update(`${part.length}:${part}`);
  return `O#${hash.digest('base64url').slice(0, 22)}`;
}

/**
 * Returns the key of the tail item (`L`) of a lane (the tasks of one ordering key). The item stores how many places
 * the lane has given out.
 */
export function laneTailKey(lane: LaneKey): Key {
  return key(lanePartition(lane), 'L');
}

const pointerPrefix = 'S#';

/** Returns the key of an item `P`, the pointer to a task at its place in its lane (the tasks of one ordering key). */
export function pointerKey(lane: LaneKey, seq: number): Key {
  return key(lanePartition(lane), `${pointerPrefix}${seq.toString(36).padStart(laneSeqChars, '0')}`);
}

/** Returns the key range of a lane's pointers to the tasks behind the place `after`, in the order of the lane. */
export function pointerRange(lane: LaneKey, after: number): { pk: string; from: string; to: string } {
  const from = pointerKey(lane, after + 1).sk.S ?? '';
  return { pk: lanePartition(lane), from, to: `${pointerPrefix}~` };
}

export function seqOfPointer(sk: string): number {
  return Number.parseInt(sk.slice(pointerPrefix.length), 36);
}

const timeChars = 11;

/** Encodes a time as text that sorts in the order of time. */
export function timeKey(ms: number): string {
  return Math.max(0, ms).toString(36).padStart(timeChars, '0');
}

/** Partition key of the list index: a queue's tasks by time of acceptance, spread over shards. */
export function listPartition({ tenant, queue }: QueueRef, shard: number): string {
  return `${tenant}#${queue}#${shard}`;
}

/** Sort key of the list index and the exceptions index: time of acceptance, then id. */
export function listSort(acceptedAtMs: number, id: TaskId): string {
  return `${timeKey(acceptedAtMs)}#${id}`;
}

/** Returns the time of acceptance in ms that a sort key of the list index or the exceptions index begins with. */
export function timeOfListSort(sort: string): number {
  return Number.parseInt(sort.slice(0, timeChars), 36);
}

export function idFromListSort(sort: string): TaskId {
  return sort.slice(timeChars + 1);
}

/**
 * Partition key of the due index: tasks that wait for a time, spread over shards.
 */
export function duePartition(shard: number): string {
  return `DUE#${shard}`;
}

const tenantDigits = 6;
const queueDigits = 9;

/** Returns a hash of the text (FNV-1a) as a decimal number of so many digits, of which the last is not 0. */
function digitsOf(text: string, digits: number): string {
  let hash = 0x811c9dc5;
  for (const char of text) hash = Math.imul(hash ^ (char.codePointAt(0) ?? 0), 0x01000193);
  const ninths = (hash >>> 0) % (9 * 10 ** (digits - 1));
  return `${Math.floor(ninths / 9)}${1 + (ninths % 9)}`.padStart(digits, '0');
}

/**
 * Sort key of the due index: the time in ms, and behind the decimal point hashes of the tenant and of the queue. By these a
 * sweep tells the entries of different queues apart. The index can project no further attribute of an existing table, and
 * the entries of all queues share a partition, so that an idle queue costs no query.
 */
export function dueSort(dueAtMs: number, queue: QueueRef): string {
  return `${dueAtMs}.${digitsOf(queue.tenant, tenantDigits)}${digitsOf(queueKey(queue), queueDigits)}`;
}

/** The parts of a sort key of the due index. The tags are empty if an older version wrote it. */
export interface DueSort {
  readonly dueAtMs: number;
  readonly tenantTag: string;
  readonly queueTag: string;
}

export function readDueSort(sort: string): DueSort {
  const [ms = '', tags = ''] = sort.split('.');
  return {
    dueAtMs: Number(ms),
    tenantTag: tags.slice(0, tenantDigits),
    queueTag: tags.slice(tenantDigits),
  };
}

export function dueSortOf({ dueAtMs, tenantTag, queueTag }: DueSort): string {
  return tenantTag === '' ? String(dueAtMs) : `${dueAtMs}.${tenantTag}${queueTag}`;
}

/** Partition key of the exceptions index: a queue's tasks in one of the states dead, cancelled and retrying. */
export function exceptionsPartition({ tenant, queue }: QueueRef, state: string): string {
  return `${tenant}#${queue}#${state}`;
}

const registryPrefix = 'K#';

export function registryPartition(kind: string): string {
  return `REG#${kind}`;
}

export function registrySort(name: string): string {
  return `${registryPrefix}${name}`;
}

export function registryKey(kind: string, name: string): Key {
  return key(registryPartition(kind), registrySort(name));
}

export function nameFromRegistrySort(sort: string): string {
  return sort.slice(registryPrefix.length);
}
