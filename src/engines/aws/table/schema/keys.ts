/**
 * Every key of the table and of its indexes is made here and nowhere else. docs/table-design.md tells which access
 * pattern uses which. Names have no `#`, so that the parts of a key can't be shifted.
 */
import { createHash } from 'node:crypto';
import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import type { LaneKey, QueueRef, TaskId } from '../../../../ports/task-store.ts';
import { idOf, type Place } from './ids.ts';

export type Item = Record<string, AttributeValue>;
export type Key = { readonly pk: AttributeValue; readonly sk: AttributeValue };

/** Names of the key attributes: the table's, then those of the three sparse indexes. */
export const keyNames = {
  table: ['pk', 'sk'],
  list: ['lp', 'ls'],
  due: ['dp', 'ds'],
  exceptions: ['ep', 'es'],
} as const;

/** TTL attribute: seconds since the epoch. */
export const ttlName = 'x';

const s = (text: string): AttributeValue => ({ S: text });
const key = (pk: string, sk: string): Key => ({ pk: s(pk), sk: s(sk) });
const taskPrefix = 'T#';

function taskPartition({ slot, mark, anchor }: Place): string {
  return anchor ? `${taskPrefix}${slot}` : `${taskPrefix}${slot}~${mark.toString(36)}`;
}

/** S: the submission. Of an anchor it is also what decides whose the idempotency key is. */
export function submissionKey(place: Place): Key {
  return key(taskPartition(place), 'S');
}

/** The anchor of a slot, whichever acceptance stands there. */
export function anchorKey(slot: string): Key {
  return key(`${taskPrefix}${slot}`, 'S');
}

/** H: the head. */
export function headKey(place: Place): Key {
  return key(taskPartition(place), 'H');
}

/** The id of a task from the partition key of one of its items, and the mark of its acceptance. */
export function idFromPartition(pk: string, mark: number): TaskId {
  const slot = pk.slice(taskPrefix.length).split('~')[0] ?? '';
  return idOf({ slot, mark, anchor: !pk.includes('~') });
}

const overflowPrefix = 'E#';
const eventNumber = (version: number): string => version.toString(36).padStart(6, '0');

/** E: events that a full tip gave up, by the numbers of the first and the last. */
export function overflowKey(place: Place, first: number, last: number): Key {
  return key(taskPartition(place), `${overflowPrefix}${eventNumber(first)}-${eventNumber(last)}`);
}

export function overflowRange(place: Place): { readonly pk: string; readonly prefix: string } {
  return { pk: taskPartition(place), prefix: overflowPrefix };
}

/** R: a large result, named by its head. */
export function resultKey(place: Place, name: string): Key {
  return key(taskPartition(place), `R#${name}`);
}

const laneSeqChars = 10;

function lanePartition({ tenant, queue, orderingKey }: LaneKey): string {
  const hash = createHash('sha256');
  for (const part of [tenant, queue, orderingKey]) hash.update(`${part.length}:${part}`);
  return `O#${hash.digest('base64url').slice(0, 22)}`;
}

/** L: how many places a lane has given. */
export function laneTailKey(lane: LaneKey): Key {
  return key(lanePartition(lane), 'L');
}

const pointerPrefix = 'S#';

/** P: the place of a task in its lane. */
export function pointerKey(lane: LaneKey, seq: number): Key {
  return key(lanePartition(lane), `${pointerPrefix}${seq.toString(36).padStart(laneSeqChars, '0')}`);
}

/** The pointers of a lane after a place, in their order. */
export function pointerRange(lane: LaneKey, after: number): { pk: string; from: string; to: string } {
  const from = pointerKey(lane, after + 1).sk.S ?? '';
  return { pk: lanePartition(lane), from, to: `${pointerPrefix}~` };
}

export function seqOfPointer(sk: string): number {
  return Number.parseInt(sk.slice(pointerPrefix.length), 36);
}

const timeChars = 11;

/** Sorts as its number. */
export function timeKey(ms: number): string {
  return Math.max(0, ms).toString(36).padStart(timeChars, '0');
}

/** The list index: a queue's tasks by time of acceptance, spread over shards. */
export function listPartition({ tenant, queue }: QueueRef, shard: number): string {
  return `${tenant}#${queue}#${shard}`;
}

/** Of the list and the exceptions: by time of acceptance, then by id. */
export function listSort(acceptedAtMs: number, id: TaskId): string {
  return `${timeKey(acceptedAtMs)}#${id}`;
}

export function idFromListSort(sort: string): TaskId {
  return sort.slice(timeChars + 1);
}

/** The due index: what waits for a time, spread over shards; its sort key is the time in ms. */
export function duePartition(shard: number): string {
  return `DUE#${shard}`;
}

/** The exceptions index: dead, cancelled and retrying tasks of a queue. */
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
