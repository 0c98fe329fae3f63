const table = Int32Array.from({ length: 256 }, (_, byte) => {
  let remainder = byte;
  for (let bit = 0; bit < 8; bit++)
    remainder = (remainder & 1) === 0 ? remainder >>> 1 : (remainder >>> 1) ^ 0xedb88320;
  return remainder;
});

/**
 * Returns the CRC-32 of the first `length` bytes, as zlib's `crc32` does. It differs surely after a change of up to four
 * neighbouring bytes, and all but surely after a cut. It shows no intention: anybody can compute it.
 */
export function crc32(bytes: Uint8Array, length: number): number {
  let remainder = -1;
  for (let at = 0; at < length; at++)
    remainder = (remainder >>> 8) ^ (table[(remainder ^ (bytes[at] as number)) & 0xff] as number);
  return ~remainder >>> 0;
}
