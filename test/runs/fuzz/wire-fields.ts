/** The parts of the protobuf wire format that the mutations need. It has no part of the product's codec. */

/** A field of an encoded message: the bytes from `start` to `end` are its tag, its length if it has one, its value. */
export interface WireField {
  readonly number: number;
  readonly type: number;
  readonly start: number;
  /** Where its value begins, behind the tag and the length. */
  readonly value: number;
  readonly end: number;
}

export function varint(value: number | bigint): Buffer {
  const bytes: number[] = [];
  let left = BigInt.asUintN(64, BigInt(value));
  while (left >= 0x80n) {
    bytes.push(Number(left & 0x7fn) | 0x80);
    left >>= 7n;
  }
  bytes.push(Number(left));
  return Buffer.from(bytes);
}

/** Returns a field with the wire type of texts, bytes and messages. */
export function lengthField(number: number, value: Uint8Array, length = value.length): Buffer {
  return Buffer.concat([varint(number * 8 + 2), varint(length), value]);
}

/** Returns the fields of an encoded message up to the first byte that is no field. */
export function fieldsOf(bytes: Uint8Array): WireField[] {
  const fields: WireField[] = [];
  let at = 0;
  const read = (): number => {
    let value = 0;
    for (let scale = 1; at < bytes.length; scale *= 128) {
      const byte = bytes[at++] as number;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
    return Number.NaN;
  };
  while (at < bytes.length) {
    const start = at;
    const tag = read();
    const type = tag % 8;
    let value = at;
    if (type === 0) read();
    else if (type === 1) at += 8;
    else if (type === 5) at += 4;
    else if (type === 2) {
      const length = read();
      value = at;
      at += length;
    } else return fields;
    if (!(tag >= 8) || !(at <= bytes.length)) return fields;
    fields.push({ number: Math.floor(tag / 8), type, start, value, end: at });
  }
  return fields;
}
