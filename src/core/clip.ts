/** Shortens texts that are too long, for fields whose text is never refused. */

/**
 * Cuts a text between characters to at most `maxBytes` bytes of UTF-8. Replaces lone surrogates. A very long text is cut
 * before anything of it is copied.
 */
export function clipBytes(text: string, maxBytes: number): string {
  // A character has at least one byte, so no more characters than bytes can remain.
  const short = text.length <= maxBytes ? text : text.slice(0, maxBytes);
  const wellFormed = short.isWellFormed() ? short : short.toWellFormed();
  if (wellFormed.length * 3 <= maxBytes) return wellFormed;
  const bytes = Buffer.from(wellFormed);
  // The bytes are decoded even if all of them fit: a slice would keep the whole text in memory.
  if (bytes.length <= maxBytes) return short === text ? wellFormed : bytes.toString('utf8');
  let end = maxBytes;
  while (end > 0 && ((bytes[end] as number) & 0xc0) === 0x80) end--;
  return bytes.toString('utf8', 0, end);
}

export function clipChars(text: string, maxChars: number): string {
  return (text.length <= maxChars ? text : text.slice(0, maxChars)).toWellFormed();
}
