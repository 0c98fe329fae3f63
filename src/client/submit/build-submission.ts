/** A submission as the wire carries it. */
import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';
import { encodeSpec } from '../../core/codec/spec.ts';
import { invalid } from '../../core/errors.ts';
import { limits } from '../../core/limits.ts';
import type { SubmitItem } from '../../core/messages.ts';
import type { Clock } from '../../ports/clock.ts';
import { toPayload } from '../contract/json.ts';
import type { Task } from '../contract/task.ts';
import { badInput, check } from '../contract/validate.ts';
import { ensureSendable } from './submit-check.ts';
import { optionsRequest, type SubmitOptions } from './submit-options.ts';

/** The task that submits: its children get keys that a retry of it makes again. */
export interface Parent {
  readonly id: string;
  readonly traceparent: string;
}

export interface Outbound {
  readonly queue: string;
  readonly item: SubmitItem;
}

/** The input whatever the order of its fields; half a surrogate pair, which has no such form, as it was written. */
function formOf(input: unknown): string {
  if (input === undefined) return '';
  try {
    return canonicalize(input as never) ?? '';
  } catch {
    return JSON.stringify(input);
  }
}

/**
 * The same parent, type and input: the same key, so that an attempt that is made again makes no second child. The
 * input is known to be JSON.
 */
function childKey(parentId: string, type: string, input: unknown): string {
  const form = formOf(input);
  const hash = createHash('sha256');
  for (const part of [parentId, type, form]) hash.update(`${part.length}:`).update(part);
  return `child/${hash.digest('base64url')}`;
}

function keyOf(
  task: Task,
  input: unknown,
  options: SubmitOptions,
  parent: Parent | undefined,
  clock: Clock,
): string {
  if (options.idempotencyKey === '') {
    throw invalid([{ field: 'idempotencyKey', description: 'is empty; leave it out to have one made' }]);
  }
  const key = options.idempotencyKey ?? task.contract.idempotencyKey?.(input);
  if (key !== undefined && key !== '') return key;
  return parent === undefined ? clock.uuid() : childKey(parent.id, task.name, input);
}

/**
 * Validates the input and builds the item; the input goes out as it was given, so that a schema's new default never
 * makes a retry a conflict. A promise only where the schema is asynchronous.
 * @throws HoldfastError INVALID_ARGUMENT
 */
export function outbound(
  clock: Clock,
  task: Task,
  input: unknown,
  options: SubmitOptions,
  parent: Parent | undefined,
): Outbound | Promise<Outbound> {
  const checked = check(task.input, input);
  const build = (result: Awaited<typeof checked>): Outbound => {
    if (!result.ok) throw badInput(task.name, result.violations);
    const { contract } = task;
    // First, since the key of a child is made of what is JSON.
    const payload = toPayload(input, `The input of '${task.name}'`, limits.payloadBytes);
    const key = keyOf(task, input, options, parent, clock);
    const queue = options.queue ?? contract.queue;
    const orderingKey = options.orderingKey ?? contract.orderingKey?.(input);
    const traceparent = options.traceparent ?? parent?.traceparent ?? '';
    const asked = optionsRequest(contract, options, parent?.id);
    ensureSendable({ ...asked, idempotencyKey: key, queue, orderingKey, traceparent });
    const spec = encodeSpec({
      type: task.name,
      typeVersion: contract.version,
      orderingKey,
      payload,
    });
    return { queue, item: { key, spec, options: asked, traceparent } };
  };
  return checked instanceof Promise ? checked.then(build) : build(checked);
}
