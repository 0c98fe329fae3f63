import canonicalize from 'canonicalize';

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const quote = 0x22;
const backslash = 0x5c;
const colon = 0x3a;
const numeral = /[-+.\deE]/;

/** Where the string that begins at `start` ends: the place after its closing quote. */
function afterString(text: string, start: number): number {
  let at = start + 1;
  while (text.charCodeAt(at) !== quote) at += text.charCodeAt(at) === backslash ? 2 : 1;
  return at + 1;
}

/** A decimal as its digits and the power of ten behind them, so that 1.50e1 and 15 are one number. */
function decimal(text: string): string {
  const [mantissa = '', exponent = '0'] = text.toLowerCase().replace(/^-/, '').split(/e(.*)/s);
  const [whole = '', fraction = ''] = mantissa.split('.');
  const digits = `${whole}${fraction}`.replace(/^0+/, '');
  let end = digits.length;
  // Not by a pattern: its time would grow with the square of a long run of zeros.
  while (end > 0 && digits.charAt(end - 1) === '0') end--;
  if (end === 0) return '0';
  return `${digits.slice(0, end)}e${Number(exponent) - fraction.length + digits.length - end}`;
}

/** True where a double is the number that was written, and not merely the nearest to it. */
function isCarried(text: string): boolean {
  return decimal(text) === decimal(String(Number(text)));
}

/** Members of all objects in a valid JSON text; undefined where a number in it is more exact than a double. */
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

/** Members of all objects in a value: fewer than were written where a key came twice. */
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
 * The canonical form of a JSON text by RFC 8785, or undefined where the text has none: it is not JSON or not
 * UTF-8, a key comes twice in one object, a number is more exact than a double. Of such texts two readers may make
 * different things, so nobody may call them equal.
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
