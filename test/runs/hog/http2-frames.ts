/** Bytes of HTTP/2, made by hand, for peers that do not keep to the protocol or to any measure. */

export const frameTypes = Object.freeze({
  data: 0,
  headers: 1,
  priority: 2,
  reset: 3,
  settings: 4,
  ping: 6,
  goAway: 7,
  windowUpdate: 8,
  continuation: 9,
});

export const flags = Object.freeze({ endStream: 1, ack: 1, endHeaders: 4 });

export const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');

/** The number of bytes before the payload of each frame. */
export const headBytes = 9;

const none = Buffer.alloc(0);

export function frameOf(type: number, flag: number, stream: number, payload: Uint8Array = none): Buffer {
  const head = Buffer.alloc(headBytes);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flag;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** Returns the frame that sets one setting of a session, by its number in RFC 9113. */
export function settingsFrame(...settings: readonly (readonly [id: number, value: number])[]): Buffer {
  const payload = Buffer.concat(
    settings.map(([id, value]) => Buffer.concat([uint32(id).subarray(2), uint32(value)])),
  );
  return frameOf(frameTypes.settings, 0, 0, payload);
}

/** The number of the setting for the window of each stream. */
export const initialWindow = 4;

/** Returns a text as HPACK writes it, without Huffman's code. */
function hpackText(text: string): Buffer {
  const bytes = Buffer.from(text, 'latin1');
  const most = 127;
  if (bytes.length < most) return Buffer.concat([Buffer.of(bytes.length), bytes]);
  const length = [most];
  let rest = bytes.length - most;
  for (; rest >= 128; rest >>= 7) length.push((rest & 127) | 128);
  length.push(rest);
  return Buffer.concat([Buffer.from(length), bytes]);
}

/** Returns headers as an HPACK block; none of them enters the table of the decoder. */
export function headerBlock(headers: readonly (readonly [name: string, value: string])[]): Buffer {
  return Buffer.concat(
    headers.map(([name, value]) => Buffer.concat([Buffer.of(0), hpackText(name), hpackText(value)])),
  );
}

/** Returns a header that enters the table of the decoder, and `count` further mentions of it, of one byte each. */
export function repeatedHeader(name: string, value: string, count: number): Buffer {
  const first = Buffer.concat([Buffer.of(0x40), hpackText(name), hpackText(value)]);
  return Buffer.concat([first, Buffer.alloc(count, 0x80 | 62)]);
}

export function callHeaders(path: string): readonly (readonly [name: string, value: string])[] {
  return [
    [':method', 'POST'],
    [':scheme', 'https'],
    [':path', path],
    [':authority', 'localhost'],
    ['content-type', 'application/grpc'],
    ['te', 'trailers'],
  ];
}
