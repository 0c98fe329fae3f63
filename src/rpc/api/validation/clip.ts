/** Shortens texts that are too long, for fields whose text is never refused. */
import { traceparent } from '../../../core/rules.ts';

/** Cuts a text between characters to at most `maxBytes` bytes of UTF-8. Replaces lone surrogates. */
export function clipBytes(text: string, maxBytes: number): string {
  const wellFormed = text.isWellFormed() ? text : text.toWellFormed();
  if (wellFormed.length * 3 <= maxBytes) return wellFormed;
  const bytes = Buffer.from(wellFormed);
  if (bytes.length <= maxBytes) return wellFormed;
  let end = maxBytes;
  while (end > 0 && ((bytes[end] as number) & 0xc0) === 0x80) end--;
  return bytes.toString('utf8', 0, end);
}

export function clipChars(text: string, maxChars: number): string {
  return (text.length <= maxChars ? text : text.slice(0, maxChars)).toWellFormed();
}

/** Returns a well-formed W3C traceparent, or an empty string instead of a malformed one, as the standard requires. */
export function traceparentOf(given: string): string {
  return traceparent(given) === undefined ? given : '';
}
