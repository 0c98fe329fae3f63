import canonicalize from 'canonicalize';

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const quote = 0x22;
const backslash = 0x5c;
const colon = 0x3a;
const numeral = /[-+.\deE]/;

/** Returns the index after the closing quote of the JSON string that begins at `start`. */
function afterString(text: string, start: number): number {
  let at = start + 1;
  while (text.charCodeAt(at) !== quote) at += text.charCodeAt(at) === backslash ? 2 : 1;
  return at + 1;
}

/** Returns a decimal number as its digits and a power of ten, so that 1.50e1 and 15 become the same text. */
function decimal(text: string): string {
  const [mantissa = '', exponent = '0'] = text.toLowerCase().replace(/^-/, '').split(/e(.*)/s);
  const [whole = '', fraction = ''] = mantissa.split('.');
  const digits = `${whole}${fraction}`.replace(/^0+/, '');
  let end = digits.length;
  // A regular expression would take quadratic time for a long run of zeros.
  while (end > 0 && digits.charAt(end - 1) === '0') end--;
  if (end === 0) return '0';
  return `${digits.slice(0, end)}e${Number(exponent) - fraction.length + digits.length - end}`;
}

/** Whether a double can hold the written number exactly. */
function isCarried(text: string): boolean {
  return decimal(text) === decimal(String(Number(text)));
}

/**
 * Counts the members of all objects in a valid JSON text. Returns undefined if a number in the text does not fit a
 * double exactly.
 */
function writtenMembers(text: string): number | undefined {
  let members = 0;
  for (let at = 0; at < text.length; ) {
    const char = text.charCodeAt(at);
    if (char === quote) {
      at = afterString(text, at);
    } else if (char === 0x2d || (char >= 0x30 && char <= 0x39)) {
      const start = at;
      while (at < text.length && numeral.test(text.charAt(at))) at++;
      if (!isCarried(text.slice(start, at))) return undefined;
    } else {
      if (char === colon) members++;
      at++;
    }
  }
  return members;
}

/**
 * Counts the members of all objects in a parsed JSON value. The JSON text has more members if a key occurs twice in an
 * object.
 */
function membersOf(value: unknown): number {
  let members = 0;
  const open: unknown[] = [value];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (next === null || typeof next !== 'object') continue;
    const inner = Object.values(next);
    if (!Array.isArray(next)) members += inner.length;
    for (const one of inner) open.push(one);
  }
  return members;
}

/**
 * Returns the canonical form of a JSON text by RFC 8785. Returns undefined if the text is not JSON or not UTF-8, has a
 * key twice in one object, or has a number that does not fit a double exactly: two parsers may read such a text
 * differently, so it has no canonical form.
 */
export function canonicalForm(bytes: Uint8Array): string | undefined {
  try {
    const text = utf8.decode(bytes);
    const value: unknown = JSON.parse(text);
    if (writtenMembers(text) !== membersOf(value)) return undefined;
    return canonicalize(value as never);
  } catch {
    return undefined;
  }
}
