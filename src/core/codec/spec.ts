import { emptyPayload, type Payload, readPayload, writePayload } from './payload.ts';
import { Reader } from './reader.ts';
import { Writer } from './writer.ts';

export interface Spec {
  readonly type: string;
  /** The version of the task type, at least 1. A zero on the wire is read as 1. */
  readonly typeVersion: number;
  readonly orderingKey: string | undefined;
  readonly payload: Payload;
}

/** The fields of a spec that the indexes need, read without decoding the payload. */
export interface SpecPeek {
  readonly type: string;
  readonly typeVersion: number;
  readonly orderingKey: string | undefined;
}

const writer = new Writer();

/** Returns the bytes of a `holdfast.v1.Spec`. */
export function encodeSpec(spec: Spec): Uint8Array<ArrayBuffer> {
  writer.reset().string(1, spec.type).number(2, spec.typeVersion).string(3, spec.orderingKey);
  writer.nested(4, (into) => writePayload(into, spec.payload));
  return writer.finish();
}

export function peekSpec(bytes: Uint8Array): SpecPeek {
  const reader = new Reader(bytes);
  let type = '';
  let typeVersion = 1;
  let orderingKey: string | undefined;
  for (let field = reader.field(); field !== 0; field = reader.field()) {
    if (field === 1) type = reader.string();
    else if (field === 2) typeVersion = reader.number() || 1;
    else if (field === 3) orderingKey = reader.string() || undefined;
    else reader.skip();
  }
  return { type, typeVersion, orderingKey };
}

export function readSpec(bytes: Uint8Array): Spec {
  const reader = new Reader(bytes);
  let type = '';
  let typeVersion = 1;
  let orderingKey: string | undefined;
  let payload = emptyPayload;
  for (let field = reader.field(); field !== 0; field = reader.field()) {
    if (field === 1) type = reader.string();
    else if (field === 2) typeVersion = reader.number() || 1;
    else if (field === 3) orderingKey = reader.string() || undefined;
    else if (field === 4) payload = readPayload(reader.nested());
    else reader.skip();
  }
  return { type, typeVersion, orderingKey, payload };
}
