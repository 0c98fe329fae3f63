import { isJson, type Payload } from '../codec/payload.ts';
import { Reader } from '../codec/reader.ts';
import { readSpec, type Spec } from '../codec/spec.ts';
import { canonicalForm } from './json-form.ts';

function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && Buffer.compare(a, b) === 0;
}

/** Returns the content type of a payload; an empty content type stands for `application/json`. */
function contentType(payload: Payload): string {
  return payload.contentType === '' ? 'application/json' : payload.contentType;
}

function sameContent(a: Payload, b: Payload): boolean {
  if (equalBytes(a.bytes, b.bytes)) return true;
  if (!isJson(a) || !isJson(b)) return false;
  const form = canonicalForm(a.bytes);
  return form !== undefined && form === canonicalForm(b.bytes);
}

function samePayload(a: Payload, b: Payload): boolean {
  return (
    contentType(a) === contentType(b) &&
    a.encoding === b.encoding &&
    a.keyId === b.keyId &&
    a.reference === b.reference &&
    sameContent(a, b)
  );
}

function sameFields(a: Spec, b: Spec): boolean {
  return (
    a.type === b.type &&
    a.typeVersion === b.typeVersion &&
    a.orderingKey === b.orderingKey &&
    samePayload(a.payload, b.payload)
  );
}

/**
 * Whether an encoded spec or payload has only fields that this version knows. The last known field is 4 in a spec and 5
 * in a payload.
 */
function knowsAll(reader: Reader, last: 4 | 5): boolean {
  for (let field = reader.field(); field !== 0; field = reader.field()) {
    if (field > last) return false;
    if (last === 4 && field === 4) {
      if (!knowsAll(reader.nested(), 5)) return false;
    } else reader.skip();
  }
  return true;
}

/**
 * Whether two specs are the same request: equal bytes, or equal fields and JSON payloads with the same canonical form
 * (RFC 8785). The order of keys and white space thus never turn a retry into a conflict. Specs are compared only if the
 * idempotency key exists already; nothing is hashed at submission.
 *
 * @throws HoldfastError INVALID_ARGUMENT, if the bytes are no spec.
 */
export function sameSpec(a: Uint8Array, b: Uint8Array): boolean {
  if (equalBytes(a, b)) return true;
  const left = readSpec(a);
  const right = readSpec(b);
  // Specs that have fields of a newer version are not the same request, because this version cannot compare those
  // fields.
  return sameFields(left, right) && knowsAll(new Reader(a), 4) && knowsAll(new Reader(b), 4);
}
