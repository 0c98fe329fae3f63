import { isUtf8 } from 'node:buffer';
import { isShallowJson } from '../../../core/codec/json-scan.ts';
import { isJson, type Payload } from '../../../core/codec/payload.ts';
import { limits } from '../../../core/limits.ts';
import { text } from '../../../core/rules.ts';
import { type Check, type FieldProblem, field, path } from './validate.ts';

const contentType = field(text(limits.contentTypeChars));
const keyId = field(text(limits.keyChars));

/**
 * Checks that a payload with a JSON content type is JSON: otherwise a worker would fail on the payload much later. A parse
 * decides about what the scan does not accept, and says what is wrong with it.
 */
function json(payload: Payload): FieldProblem | undefined {
  const { bytes } = payload;
  // An empty payload without a content type means that the caller gave no payload.
  if (bytes.length === 0 && payload.contentType === '') return undefined;
  if (!isJson(payload)) return undefined;
  if (!isUtf8(bytes)) return { description: 'is not valid UTF-8', reason: 'BAD_JSON' };
  if (isShallowJson(bytes)) return undefined;
  try {
    JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString());
    return undefined;
  } catch (thrown) {
    return { description: `is not valid JSON: ${(thrown as Error).message}`, reason: 'BAD_JSON' };
  }
}

export function payloadOf(maxBytes: number): Check<Payload> {
  return (payload, parent, name, findings) => {
    const at = path(parent, name);
    contentType(payload.contentType, at, 'contentType', findings);
    contentType(payload.encoding, at, 'encoding', findings);
    keyId(payload.keyId, at, 'keyId', findings);
    if (payload.reference !== '') {
      const description = 'is reserved; payloads that are stored elsewhere are not supported yet';
      findings.add(at, 'reference', { description, reason: 'NOT_BUILT' });
      return;
    }
    const problem =
      payload.bytes.length > maxBytes ? tooLarge(payload.bytes.length, maxBytes) : json(payload);
    if (problem !== undefined) findings.add(at, 'bytes', problem);
  };
}

function tooLarge(bytes: number, maxBytes: number): FieldProblem {
  const [has, most] = [bytes, maxBytes].map((n) => n.toLocaleString('en'));
  return { description: `has ${has} bytes; at most ${most}`, reason: 'TOO_LARGE' };
}
