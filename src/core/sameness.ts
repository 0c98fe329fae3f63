import canonicalize from 'canonicalize';
import { isJson, type Payload } from './codec/payload.ts';
import { readSpec } from './codec/spec.ts';

function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && Buffer.compare(a, b) === 0;
}

function canonical(payload: Payload): string | undefined {
  try {
    return canonicalize(JSON.parse(Buffer.from(payload.bytes).toString('utf8')) as never);
  } catch {
    return undefined;
  }
}

function samePayload(a: Payload, b: Payload): boolean {
  if (a.encoding !== b.encoding || a.keyId !== b.keyId || a.reference !== b.reference) return false;
  if (isJson(a) && isJson(b)) {
    if (equalBytes(a.bytes, b.bytes)) return true;
    const form = canonical(a);
    return form !== undefined && form === canonical(b);
  }
  return a.contentType === b.contentType && equalBytes(a.bytes, b.bytes);
}

/**
 * Whether two specs are the same request: equal bytes, or equal fields whose JSON payloads have the same canonical
 * form (RFC 8785), so that neither the order of keys nor white space makes a retry a conflict. Compared only when a
 * key is hit: nothing is hashed on the way in.
 */
export function sameSpec(a: Uint8Array, b: Uint8Array): boolean {
  if (equalBytes(a, b)) return true;
  const left = readSpec(a);
  const right = readSpec(b);
  return (
    left.type === right.type &&
    left.typeVersion === right.typeVersion &&
    left.orderingKey === right.orderingKey &&
    samePayload(left.payload, right.payload)
  );
}
