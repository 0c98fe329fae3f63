import { HoldfastError } from '../errors.ts';

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export function malformed(what: string): HoldfastError {
  return new HoldfastError('INVALID_ARGUMENT', 'BAD_FIELD', `The message is malformed: ${what}.`, {
    help: 'Send protobuf messages of the schema holdfast.v1, as a generated client does.',
  });
}

/** Reads the protobuf wire format, never past the end of the message. */
export class Reader {
  readonly #bytes: Buffer;
  readonly #end: number;
  #at: number;
  #tag = 0;

  constructor(bytes: Uint8Array, from = 0, end: number = bytes.length) {
    this.#bytes = Buffer.isBuffer(bytes)
      ? bytes
      : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#at = from;
    this.#end = end;
  }

  /**
   * Reads the tag of the next field in a protobuf message. Returns the number of the field, or 0 at the end of the
   * message. The caller reads or skips the value of the field before the next call.
   */
  field(): number {
    if (this.#at >= this.#end) return 0;
    this.#tag = this.varint();
    const field = Math.floor(this.#tag / 8);
    if (field === 0) throw malformed('a field has the number 0');
    return field;
  }

  varint(): number {
    let value = 0;
    let scale = 1;
    for (let i = 0; i < 10; i++) {
      if (this.#at >= this.#end) throw malformed('it ends within a number');
      const byte = this.#bytes[this.#at++] as number;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 128;
    }
    throw malformed('a number is longer than ten bytes');
  }

  /** Reads a varint field: a whole number from −(2^53 − 1) to 2^53 − 1. */
  number(): number {
    this.#expect(0);
    const start = this.#at;
    const value = this.varint();
    return value <= Number.MAX_SAFE_INTEGER ? value : this.#signed(start);
  }

  /** Reads a repeated varint field into `into`, in its packed form or one number at a time. */
  numbers(into: number[]): void {
    if (this.#tag % 8 === 0) {
      into.push(this.number());
      return;
    }
    const end = this.#length() + this.#at;
    while (this.#at < end) into.push(this.varint());
    if (this.#at > end) throw malformed('a list of numbers ends within a number');
  }

  flag(): boolean {
    return this.number() !== 0;
  }

  double(): number {
    this.#expect(1);
    this.#has(8);
    const value = this.#bytes.readDoubleLE(this.#at);
    this.#at += 8;
    return value;
  }

  string(): string {
    const length = this.#length();
    const start = this.#at;
    const end = start + length;
    this.#at = end;
    for (let i = start; i < end; i++) {
      if ((this.#bytes[i] as number) > 0x7f) return this.#unicode(start, end);
    }
    return this.#bytes.toString('latin1', start, end);
  }

  /** Reads a bytes field. The result is a view, not a copy, so it keeps the whole message in memory. */
  bytes(): Uint8Array {
    const length = this.#length();
    const view = this.#bytes.subarray(this.#at, this.#at + length);
    this.#at += length;
    return view;
  }

  nested(): Reader {
    const length = this.#length();
    const reader = new Reader(this.#bytes, this.#at, this.#at + length);
    this.#at += length;
    return reader;
  }

  skip(): void {
    const wire = this.#tag % 8;
    if (wire === 0) this.varint();
    else if (wire === 1) this.#jump(8);
    else if (wire === 5) this.#jump(4);
    else if (wire === 2) this.#jump(this.#length());
    else throw malformed(`wire type ${wire} is not in use`);
  }

  /** Reads a varint as a two's complement number, which is how protobuf encodes negative numbers. */
  #signed(start: number): number {
    let value = 0n;
    for (let at = this.#at - 1; at >= start; at--) {
      value = value * 128n + BigInt((this.#bytes[at] as number) & 0x7f);
    }
    const signed = Number(BigInt.asIntN(64, value));
    if (!Number.isSafeInteger(signed)) throw malformed('a number is larger than 2^53');
    return signed;
  }

  #jump(bytes: number): void {
    this.#has(bytes);
    this.#at += bytes;
  }

  #expect(wire: number): void {
    if (this.#tag % 8 !== wire)
      throw malformed(`field ${Math.floor(this.#tag / 8)} has another type than the schema says`);
  }

  #length(): number {
    this.#expect(2);
    const length = this.varint();
    this.#has(length);
    return length;
  }

  #has(bytes: number): void {
    if (this.#at + bytes > this.#end) throw malformed('it ends too early');
  }

  #unicode(start: number, end: number): string {
    try {
      return utf8.decode(this.#bytes.subarray(start, end));
    } catch {
      throw malformed('a text is not valid UTF-8');
    }
  }
}
