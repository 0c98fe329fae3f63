/** Mutates the bytes of encoded protobuf messages, each time in one way. */
import type { Random } from './random.ts';
import { fieldsOf, lengthField, varint, type WireField } from './wire-fields.ts';

/** Changes a message. The fields are those of the message, of which there may be none. */
type Mutation = (bytes: Buffer, random: Random, fields: readonly WireField[]) => Buffer;

/** The numbers at which lengths, counters and integers change their form. */
const boundaries = [0, 1, 127, 128, 255, 16_383, 65_536, 2 ** 28, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 2 ** 53];
const mostNesting = 4_000;
const mostBytes = 100_000;
/** Byte sequences that no UTF-8 text has: a lone continuation, an overlong slash, a surrogate, one beyond Unicode. */
const invalidTexts = ['ff', '80', 'c0af', 'eda080', 'f4908080', 'e2 82'].map((hex) =>
  Buffer.from(hex.replace(' ', ''), 'hex'),
);

function splice(bytes: Buffer, from: number, to: number, put: Uint8Array): Buffer {
  return Buffer.concat([bytes.subarray(0, from), put, bytes.subarray(to)]);
}

/** Returns a random field of the message, or one that stands for the whole message if it has none. */
function anyField(bytes: Buffer, random: Random, fields: readonly WireField[], type?: number): WireField {
  const found = type === undefined ? fields : fields.filter((one) => one.type === type);
  if (found.length > 0) return random.pick(found);
  return { number: random.between(1, 20), type: 2, start: 0, value: 0, end: bytes.length };
}

/** Returns a field with a mutation of its value in place of the value, which is often a message too. */
const inside: Mutation = (bytes, random, fields) => {
  const { number, value, start, end } = anyField(bytes, random, fields, 2);
  return splice(bytes, start, end, lengthField(number, mutate(bytes.subarray(value, end), random).bytes));
};

const nested: Mutation = (bytes, random, fields) => {
  const { number, start, end } = anyField(bytes, random, fields, 2);
  const depth = random.between(2, mostNesting);
  if (random.chance(0.5)) {
    const group = Buffer.concat([varint(number * 8 + 3), varint(random.between(1, 9) * 8 + 3)]);
    return splice(bytes, start, end, Buffer.concat(Array.from({ length: depth / 2 }, () => group)));
  }
  // The innermost value is written first; each step adds one field around it.
  const heads: Buffer[] = [];
  for (let length = 0; heads.length < depth && length < mostBytes; ) {
    const head = Buffer.concat([varint(number * 8 + 2), varint(length)]);
    length += head.length;
    heads.push(head);
  }
  return splice(bytes, start, end, Buffer.concat(heads.reverse()));
};

const all = {
  flippedBits(bytes, random) {
    const changed = Buffer.from(bytes.length === 0 ? [0] : bytes);
    for (let i = random.between(1, 8); i > 0; i--) {
      const at = random.below(changed.length);
      changed[at] = (changed[at] as number) ^ (1 << random.below(8));
    }
    return changed;
  },
  truncated: (bytes, random) => bytes.subarray(0, random.below(bytes.length)),
  repeated(bytes, random) {
    const from = random.below(bytes.length);
    const slice = bytes.subarray(from, random.between(from, bytes.length));
    const times = random.between(2, Math.max(2, Math.min(200, mostBytes / (slice.length + 1))));
    return splice(bytes, from, from, Buffer.concat(Array.from({ length: times }, () => slice)));
  },
  wrongLength(bytes, random, fields) {
    const { number, value, start, end } = anyField(bytes, random, fields, 2);
    const length = random.chance(0.5)
      ? random.pick(boundaries)
      : Math.max(0, end - value + random.between(-3, 3));
    return splice(bytes, start, end, lengthField(number, bytes.subarray(value, end), length));
  },
  unknownField(bytes, random) {
    const number = random.pick([15, 16, 100, 19_000, 2 ** 29 - 1, 2 ** 29, 2 ** 32, 0]);
    const field = random.pick([
      lengthField(number, random.bytes(random.below(40))),
      Buffer.concat([varint(number * 8), varint(random.pick(boundaries))]),
      Buffer.concat([varint(number * 8 + 1), random.bytes(8)]),
      Buffer.concat([varint(number * 8 + 5), random.bytes(4)]),
    ]);
    return random.chance(0.5) ? Buffer.concat([bytes, field]) : Buffer.concat([field, bytes]);
  },
  wrongType(bytes, random, fields) {
    const { number, start, value } = anyField(bytes, random, fields);
    return splice(bytes, start, value, varint(number * 8 + random.below(8)));
  },
  deepNesting: nested,
  doubledField(bytes, random, fields) {
    const { start, end } = anyField(bytes, random, fields);
    const at = random.pick([0, start, end, bytes.length]);
    return splice(bytes, at, at, bytes.subarray(start, end));
  },
  swappedFields(bytes, random, fields) {
    const [one, other] = [anyField(bytes, random, fields), anyField(bytes, random, fields)];
    const moved = Buffer.concat([
      varint(one.number * 8 + other.type),
      bytes.subarray(other.value, other.end),
    ]);
    return splice(bytes, one.start, one.end, moved);
  },
  invalidText(bytes, random, fields) {
    const { number, value, start, end } = anyField(bytes, random, fields, 2);
    const text = bytes.subarray(value, end);
    const at = random.below(text.length + 1);
    return splice(bytes, start, end, lengthField(number, splice(text, at, at, random.pick(invalidTexts))));
  },
  boundaryNumber(bytes, random, fields) {
    const { number, start, end } = anyField(bytes, random, fields, 0);
    const value = random.chance(0.5) ? BigInt(random.pick(boundaries)) : -BigInt(random.pick(boundaries));
    return splice(bytes, start, end, Buffer.concat([varint(number * 8), varint(value)]));
  },
  overlongNumber(bytes, random, fields) {
    const { number, start, end } = anyField(bytes, random, fields, 0);
    const long = Buffer.alloc(random.between(2, 14), 0x80);
    return splice(
      bytes,
      start,
      end,
      Buffer.concat([varint(number * 8), long, Buffer.from([random.below(3)])]),
    );
  },
  insertedBytes(bytes, random) {
    const at = random.below(bytes.length + 1);
    return splice(bytes, at, at, random.bytes(random.between(1, 30)));
  },
  removedBytes(bytes, random) {
    const from = random.below(bytes.length);
    return splice(bytes, from, Math.min(bytes.length, from + random.between(1, 8)), Buffer.alloc(0));
  },
  randomBytes: (_bytes, random) => random.bytes(random.below(300)),
  insideField: inside,
} satisfies Readonly<Record<string, Mutation>>;

export type MutationKind = keyof typeof all;
export const mutationKinds = Object.keys(all) as readonly MutationKind[];

export interface Mutated {
  readonly kind: MutationKind;
  readonly bytes: Buffer;
}

/** Mutates a message in the given way, or in a random one. The given bytes are not changed. */
export function mutate(message: Uint8Array, random: Random, kind = random.pick(mutationKinds)): Mutated {
  const bytes = Buffer.from(message);
  return { kind, bytes: all[kind](bytes, random, fieldsOf(bytes)) };
}
