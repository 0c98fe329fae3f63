import { isUtf8 } from 'node:buffer';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isShallowJson, scannedLevels } from './json-scan.ts';

function parses(bytes: Uint8Array): boolean {
  try {
    JSON.parse(Buffer.from(bytes).toString());
    return true;
  } catch {
    return false;
  }
}

/** Checks that the scan and JSON.parse agree, unless the text is deeper than the scan follows. */
function agree(text: string | Uint8Array): void {
  const bytes = typeof text === 'string' ? Buffer.from(text) : text;
  if (!isUtf8(bytes)) return;
  const isScanned = isShallowJson(bytes);
  if (isScanned !== parses(bytes))
    expect.fail(`scan says ${isScanned} of ${JSON.stringify(text.toString())}`);
}

const valid = [
  ...[
    'null',
    'true',
    'false',
    '""',
    '{}',
    '[]',
    ' \t\r\n[ ] \n',
    '{ "a" : { } , "b" : [ ] }',
    '[[],[[]],{}]',
  ],
  ...[
    '0',
    '-0',
    '10',
    '-1.5',
    '0.0',
    '1e5',
    '1E+05',
    '1e-0',
    '0e0',
    '1.25e308',
    '1e999',
    '123456789012345678901234567890',
  ],
  ...[
    '"\\"\\\\\\/\\b\\f\\n\\r\\t"',
    '"\\u0000"',
    '"\\uD83D\\uDE00"',
    '"\\ud800"',
    '"\\uDFFF x"',
    '"\\uAbC9"',
    '"\u007f"',
  ],
  ...[
    '"é 日本 😀"',
    '"\u2028\u2029"',
    '{"a":1,"a":2}',
    '{"__proto__":1}',
    '{"":""}',
    '[1,"a",null,true,{"b":[false]}]',
  ],
];
const badTexts = [
  ...[
    '',
    ' ',
    '{',
    '}',
    '[',
    ']',
    '[}',
    '{]',
    '[1}',
    '{"a":1]',
    '[1,]',
    '[,1]',
    '[,]',
    '{,}',
    '{"a":1,}',
    '{"a"}',
    '{"a":}',
  ],
  ...[
    '{a:1}',
    "{'a':1}",
    '{1:1}',
    '{"a" 1}',
    '{"a"::1}',
    '[1 2]',
    '[1,,2]',
    '1 2',
    '[] []',
    '{}x',
    'null null',
    ':',
    ',',
  ],
  ...[
    'nul',
    'nulll',
    'True',
    'tru',
    'falsey',
    'undefined',
    'NaN',
    'Infinity',
    '-Infinity',
    '-',
    '+1',
    '.5',
    '5.',
    '01',
    '-01',
  ],
  ...[
    '1e',
    '1e+',
    '1.e5',
    '0x10',
    '1_000',
    '1n',
    '--1',
    '- 1',
    '00',
    '1.2.3',
    '1e5.5',
    '"',
    '"a',
    '"\\"',
    '"\\',
    '"\\x41"',
  ],
  ...[
    '"\\u12"',
    '"\\u12G4"',
    '"\\U0041"',
    '"\\u 041"',
    '"\\\'"',
    '"\\v"',
    '"\\0"',
    '"\n"',
    '"\t"',
    '"\u0000"',
    '"\u001f"',
    "'a'",
  ],
  ...[
    '\ufeff1',
    '\u00a01',
    '1\u00a0',
    '\u20281',
    '\f1',
    '\v1',
    '// x\n1',
    '/* */1',
    '[1]//',
    '#1',
    '\u0000',
    '1\u0000',
    'é',
  ],
];

/** The characters of JSON, so that random texts of them are often nearly JSON. */
const nearlyJson = fc.array(
  fc.constantFrom(
    ...'[]{}:,"\\ue-+.0129aftrulsn/b \n\té\u0001'.split(''),
    'null',
    'true',
    '"a"',
    '"a":',
    '\\u00e9',
    '[1,2]',
  ),
  { maxLength: 12 },
);
const spaces = fc.array(fc.constantFrom(' ', '\t', '\n', '\r'), { maxLength: 3 });

describe('the scan of JSON', () => {
  it.each(valid)('accepts %j', (text) => {
    expect(isShallowJson(Buffer.from(text))).toBe(true);
    expect(parses(Buffer.from(text))).toBe(true);
  });

  it.each(badTexts)('refuses %j', (text) => {
    expect(isShallowJson(Buffer.from(text))).toBe(false);
    expect(parses(Buffer.from(text))).toBe(false);
  });

  it('accepts every value as JSON.stringify writes it, also with white space', () => {
    const property = fc.property(
      fc.jsonValue({ maxDepth: 6 }),
      fc.nat(4),
      spaces,
      (value, indent, around) => {
        const text = `${around.join('')}${JSON.stringify(value, undefined, indent)}${around.join('')}`;
        expect(isShallowJson(Buffer.from(text))).toBe(true);
      },
    );
    fc.assert(property, { numRuns: 2_000 });
  });

  it('agrees with JSON.parse about valid JSON with a byte that is changed, added or left out', () => {
    const change = fc.record({
      at: fc.nat(),
      byte: fc.nat(255),
      kind: fc.constantFrom('change', 'add', 'omit'),
    });
    const property = fc.property(fc.jsonValue({ maxDepth: 4 }), change, (value, { at, byte, kind }) => {
      const bytes = [...Buffer.from(JSON.stringify(value, undefined, at % 2))];
      const added = kind === 'omit' ? [] : [byte];
      bytes.splice(at % bytes.length, kind === 'add' ? 0 : 1, ...added);
      agree(Uint8Array.from(bytes));
    });
    fc.assert(property, { numRuns: 10_000 });
  });

  it('agrees with JSON.parse about texts of the characters of JSON', () => {
    fc.assert(
      fc.property(nearlyJson, (parts) => agree(parts.join(''))),
      { numRuns: 20_000 },
    );
  });

  it('agrees with JSON.parse about every byte at every place of a long string', () => {
    for (const length of [0, 1, 126, 127, 128, 129, 130, 131, 140]) {
      for (let at = 1; at <= length; at++) {
        for (const byte of [0x00, 0x1f, 0x20, 0x21, 0x22, 0x23, 0x5b, 0x5c, 0x5d, 0x7f]) {
          const bytes = Buffer.from(JSON.stringify('x'.repeat(length)));
          bytes[at] = byte;
          agree(bytes);
        }
        agree(`"${'é'.repeat(at)}"`);
      }
    }
  });

  it('reads no byte outside the bytes that it is given', () => {
    const within = Buffer.from('x[1,"a"]x');
    expect(isShallowJson(within.subarray(1, 8))).toBe(true);
    expect(isShallowJson(within.subarray(1, 7))).toBe(false);
    const long = Buffer.from(`x"${'y'.repeat(300)}"x`);
    expect(isShallowJson(long.subarray(1, 303))).toBe(true);
    expect(isShallowJson(long.subarray(1, 302))).toBe(false);
  });

  it('follows a limited number of levels and leaves deeper JSON to a parse', () => {
    const nested = (levels: number) => Buffer.from(`${'['.repeat(levels)}${']'.repeat(levels)}`);
    expect(isShallowJson(nested(scannedLevels))).toBe(true);
    expect(isShallowJson(nested(scannedLevels + 1))).toBe(false);
    const objects = (levels: number) => Buffer.from(`${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`);
    expect(isShallowJson(objects(scannedLevels))).toBe(true);
    expect(isShallowJson(objects(scannedLevels + 1))).toBe(false);
  });
});
