/** Builds the wire form of a submission. */
import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';
import { encodeSpec } from '../../core/codec/spec.ts';
import { invalid } from '../../core/errors.ts';
import { limits } from '../../core/limits.ts';
import type { SubmitItem } from '../../core/messages.ts';
import type { Clock } from '../../ports/clock.ts';
import { toPayload } from '../contract/json.ts';
import type { TaskType } from '../contract/task.ts';
import { badInput, check } from '../contract/validate.ts';
import { ensureSendable } from './submit-check.ts';
import { optionsRequest, type SubmitOptions } from './submit-options.ts';

/**
 * The task whose handler submits a child task. The default idempotency key of the child is derived from the parent's
 * id.
 */
export interface ParentTask {
  readonly id: string;
  readonly traceparent: string;
}

/** A submission that is ready to be sent, with the queue it goes to. */
export interface OutboundSubmission {
  readonly queue: string;
  readonly item: SubmitItem;
}

/**
 * Returns the canonical JSON of an input, in which the order of fields does not matter. Text with half a surrogate pair
 * has no canonical form; it is taken as JSON.stringify writes it.
 */
function canonicalForm(input: unknown): string {
  if (input === undefined) return '';
  try {
    return canonicalize(input as never) ?? '';
  } catch {
    return JSON.stringify(input);
  }
}

/**
 * Returns the default idempotency key of a child task: a hash of parent id, task type and input. A repeated attempt of
 * the parent gets the same key and submits no second child. The input must have been checked to be JSON.
 */
function childKey(parentId: string, type: string, input: unknown): string {
  const canonicalInput = canonicalForm(input);
  const hash = createHash('sha256');
  for (const part of [parentId, type, canonicalInput]) hash.update(`${part.length}:`).update(part);
  return `child/${hash.digest('base64url')}`;
}

function keyOf(
  task: TaskType,
  input: unknown,
  options: SubmitOptions,
  parent: ParentTask | undefined,
  clock: Clock,
): string {
  if (options.idempotencyKey === '') {
    throw invalid([
      { field: 'idempotencyKey', description: 'is empty; leave it out to get a generated key' },
    ]);
  }
  const key = options.idempotencyKey ?? task.contract.idempotencyKey?.(input);
  if (key !== undefined && key !== '') return key;
  return parent === undefined ? clock.uuid() : childKey(parent.id, task.name, input);
}

/**
 * Validates the input of a task and builds the submission to send. The input is sent as the caller gave it, not as the
 * schema transforms it: otherwise a default that is added to the schema later would turn a retry into a key conflict.
 * Returns a promise only if the schema is asynchronous.
 * @throws HoldfastError INVALID_ARGUMENT
 */
export function buildSubmission(
  clock: Clock,
  task: TaskType,
  input: unknown,
  options: SubmitOptions,
  parent: ParentTask | undefined,
): OutboundSubmission | Promise<OutboundSubmission> {
  const checked = check(task.input, input);
  const build = (result: Awaited<typeof checked>): OutboundSubmission => {
    if (!result.ok) throw badInput(task.name, result.violations);
    const { contract } = task;
    // The payload is made first: making it checks that the input is JSON, and childKey relies on this check.
    const payload = toPayload(input, `The input of '${task.name}'`, limits.payloadBytes);
    const key = keyOf(task, input, options, parent, clock);
    const queue = options.queue ?? contract.queue;
    const orderingKey = options.orderingKey ?? contract.orderingKey?.(input);
    const traceparent = options.traceparent ?? parent?.traceparent ?? '';
    const wireOptions = optionsRequest(contract, options, parent?.id);
    ensureSendable({ ...wireOptions, idempotencyKey: key, queue, orderingKey, traceparent });
    const spec = encodeSpec({
      type: task.name,
      typeVersion: contract.version,
      orderingKey,
      payload,
    });
    return { queue, item: { key, spec, options: wireOptions, traceparent } };
  };
  return checked instanceof Promise ? checked.then(build) : build(checked);
}
