/**
 * Returns the FNV-1a hash, of 32 bits, of the first `length` bytes. It differs surely after a change of one byte, and all
 * but surely after any other change or a cut. It shows no intention: anybody can compute it.
 */
export function checksumOf(bytes: Uint8Array, length: number): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < length; at++) hash = Math.imul(hash ^ (bytes[at] as number), 0x01000193);
  return hash;
}
