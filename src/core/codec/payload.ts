import { Reader } from './reader.ts';
import { Writer } from './writer.ts';

/** The input or the result of a task: bytes with their content type and encoding (`holdfast.v1.Payload`). */
export interface Payload {
  readonly contentType: string;
  readonly encoding: string;
  readonly keyId: string;
  readonly bytes: Uint8Array;
  readonly reference: string;
}

export const emptyPayload: Payload = {
  contentType: '',
  encoding: '',
  keyId: '',
  bytes: new Uint8Array(0),
  reference: '',
};

const writer = new Writer();

export function writePayload(into: Writer, payload: Payload): void {
  into.string(1, payload.contentType).string(2, payload.encoding).string(3, payload.keyId);
  into.bytes(4, payload.bytes).string(5, payload.reference);
}

/** Returns the bytes of a `holdfast.v1.Payload`. */
export function encodePayload(payload: Payload): Uint8Array<ArrayBuffer> {
  writer.reset();
  writePayload(writer, payload);
  return writer.finish();
}

export function readPayload(reader: Reader): Payload {
  let { contentType, encoding, keyId, bytes, reference } = emptyPayload;
  for (let field = reader.field(); field !== 0; field = reader.field()) {
    if (field === 1) contentType = reader.string();
    else if (field === 2) encoding = reader.string();
    else if (field === 3) keyId = reader.string();
    else if (field === 4) bytes = reader.bytes();
    else if (field === 5) reference = reader.string();
    else reader.skip();
  }
  return { contentType, encoding, keyId, bytes, reference };
}

export function decodePayload(bytes: Uint8Array): Payload {
  return readPayload(new Reader(bytes));
}

/**
 * Whether the bytes of a payload are plain JSON: neither compressed nor encrypted, and of a JSON content type. An empty
 * content type stands for JSON.
 */
export function isJson(payload: Payload): boolean {
  if (payload.encoding !== '' || payload.keyId !== '') return false;
  if (payload.contentType === '' || payload.contentType === 'application/json') return true;
  const [mediaType = ''] = payload.contentType.split(';');
  const name = mediaType.trim().toLowerCase();
  return name === '' || name === 'application/json' || name.endsWith('+json');
}
