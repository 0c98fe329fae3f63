/** One node as the listeners see it, on the memory engine and virtual time. */
import { noOptions } from '../../src/core/codec/options.ts';
import { encodeSpec } from '../../src/core/codec/spec.ts';
import type { HoldfastError } from '../../src/core/errors.ts';
import type { SubmitItem, SubmitOk, SubmitResult } from '../../src/core/messages.ts';
import { memory } from '../../src/engines/memory/index.ts';
import { type VirtualClock, virtualClock } from '../../src/platform/virtual-clock.ts';
import { silentLog } from '../../src/ports/log.ts';
import type { CallContext, Identity, ServerStream } from '../../src/rpc/api/api.ts';
import { createApi, type NodeApi } from '../../src/rpc/api/create-api.ts';
import { localIdentity } from '../../src/rpc/in-process.ts';
import { createService } from '../../src/service/create-service.ts';
import type { Service } from '../../src/service/service.ts';

export interface ApiNode {
  readonly api: NodeApi;
  readonly clock: VirtualClock;
  readonly service: Service;
}

/** `wrap` stands between API and service, to hold it up or make it fail. */
export async function apiNode(wrap: (service: Service) => Service = (same) => same): Promise<ApiNode> {
  const clock = virtualClock();
  const engine = memory({ clock, bells: 'in-commit' });
  const options = { ...engine, node: 'node-1', clock, log: silentLog, createQueues: true };
  const { service } = await createService(options);
  return {
    api: createApi({ service: wrap(service), clock, log: silentLog, node: 'node-1' }),
    clock,
    service,
  };
}

export const anyone: Identity = localIdentity;

export function calledBy(identity: Identity = anyone, more: Partial<CallContext> = {}): CallContext {
  return { identity, notAfterMs: undefined, traceparent: '', signal: new AbortController().signal, ...more };
}

export { noOptions };

export function payload(text: string, contentType = 'application/json') {
  return { contentType, encoding: '', keyId: '', bytes: new TextEncoder().encode(text), reference: '' };
}

export function specOf(text = '{}', type = 'note', orderingKey?: string): Uint8Array {
  return encodeSpec({ type, typeVersion: 1, orderingKey, payload: payload(text) });
}

export function item(key: string, more: Partial<SubmitItem> = {}): SubmitItem {
  return { key, spec: specOf(), options: noOptions, traceparent: '', ...more };
}

export async function submitted(node: ApiNode, ...items: SubmitItem[]): Promise<SubmitOk[]> {
  const { results } = await node.api.submit({ tenant: '', queue: 'q', items }, calledBy());
  return results.map(accepted);
}

export function accepted(result: SubmitResult | undefined): SubmitOk {
  if (result === undefined || result.error !== undefined)
    throw new Error(`refused: ${result?.error.message}`);
  return result;
}

/** The client's side of a stream: what it was sent, and how it ended. */
export class Heard<Message extends { readonly kind: string }> implements ServerStream<Message> {
  bufferedBytes = 0;
  taken?: (() => void) | undefined;
  readonly messages: Message[] = [];
  ended = false;
  error: HoldfastError | undefined;

  send(message: Message): void {
    if (this.ended) throw new Error('sent after the end');
    this.messages.push(message);
  }

  end(error?: HoldfastError): void {
    if (this.ended) throw new Error('ended twice');
    this.ended = true;
    this.error = error;
  }

  of<K extends Message['kind']>(kind: K): Extract<Message, { readonly kind: K }>[] {
    return this.messages.filter((m): m is Extract<Message, { readonly kind: K }> => m.kind === kind);
  }
}

/** What a call was refused with. */
export async function refusal(call: Promise<unknown>): Promise<HoldfastError> {
  return call.then(
    () => {
      throw new Error('it was not refused');
    },
    (error: HoldfastError) => error,
  );
}
