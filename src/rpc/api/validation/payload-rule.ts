import { isUtf8 } from 'node:buffer';
import { isJson, type Payload } from '../../../core/codec/payload.ts';
import { limits } from '../../../core/limits.ts';
import { text } from './rules.ts';
import { type Check, field, path, type Wrong } from './validate.ts';

const contentType = field(text(limits.contentTypeChars));
const keyId = field(text(limits.keyChars));

/** Bytes that say they are JSON must be: a worker could do nothing but fail on them, long after. */
function json(payload: Payload): Wrong | undefined {
  const { bytes } = payload;
  // Nothing was sent at all, which no content type contradicts.
  if (bytes.length === 0 && payload.contentType === '') return undefined;
  if (!isJson(payload)) return undefined;
  if (!isUtf8(bytes)) return { description: 'is not valid UTF-8', reason: 'BAD_JSON' };
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
      const description = 'is reserved; payloads that are held elsewhere are not built yet';
      findings.add(at, 'reference', { description, reason: 'NOT_BUILT' });
      return;
    }
    const wrong = payload.bytes.length > maxBytes ? tooLarge(payload.bytes.length, maxBytes) : json(payload);
    if (wrong !== undefined) findings.add(at, 'bytes', wrong);
  };
}

function tooLarge(bytes: number, maxBytes: number): Wrong {
  const [has, most] = [bytes, maxBytes].map((n) => n.toLocaleString('en'));
  return { description: `has ${has} bytes; at most ${most}`, reason: 'TOO_LARGE' };
}
