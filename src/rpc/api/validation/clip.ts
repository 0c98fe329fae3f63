/** Words that are kept as far as there is room for them, instead of being refused. */
import { isTraceparent } from '../../../core/submission/check.ts';

/** At most so many bytes of UTF-8, cut between characters; half surrogate pairs are replaced. */
export function clipBytes(words: string, maxBytes: number): string {
  const formed = words.isWellFormed() ? words : words.toWellFormed();
  if (formed.length * 3 <= maxBytes) return formed;
  const bytes = Buffer.from(formed);
  if (bytes.length <= maxBytes) return formed;
  let end = maxBytes;
  while (end > 0 && ((bytes[end] as number) & 0xc0) === 0x80) end--;
  return bytes.toString('utf8', 0, end);
}

export function clipChars(words: string, maxChars: number): string {
  return (words.length <= maxChars ? words : words.slice(0, maxChars)).toWellFormed();
}

/** A W3C traceparent, or empty: a malformed one is dropped, as the standard asks. */
export function traceparentOf(given: string): string {
  return given !== '' && isTraceparent(given) ? given : '';
}
