import { expect, it } from 'vitest';
import { parseShallow } from './shallow-json.ts';

const nested = (depth: number, open: string, close: string): string =>
  open.repeat(depth) + close.repeat(depth);

it('JSON is parsed up to a depth of 64, whatever its strings contain', () => {
  const strings = { text: `\\"${'['.repeat(100)}\\`, [`{"${'{'.repeat(100)}`]: ['"[', ']'] };
  const many = Array.from({ length: 1_000 }, () => [[{ n: 1 }]]);
  for (const value of [strings, many, [], 'text', 1, null, JSON.parse(nested(64, '[', ']'))])
    expect(parseShallow(JSON.stringify(value))).toEqual(value);
});

it('JSON that is nested deeper is refused before it is parsed, also if it is not closed', () => {
  for (const text of [nested(65, '[', ']'), '['.repeat(65), '{"a":'.repeat(65), `"]]]]"${'['.repeat(65)}`])
    expect(() => parseShallow(text)).toThrow('nested too deeply');
});
