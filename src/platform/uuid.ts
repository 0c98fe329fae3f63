/**
 * Returns a source of time-ordered UUIDs (version 7, RFC 9562): 48 bits of milliseconds, a 12-bit counter that orders
 * the UUIDs of one millisecond, and 62 random bits. If the clock goes back, the last time is used again until the clock
 * has passed it.
 */
export function uuidV7(now: () => number, random: (bytes: Uint8Array) => void): () => string {
  const bytes = Buffer.alloc(16);
  let lastMs = 0;
  let counter = 0;
  return () => {
    const ms = Math.trunc(now());
    random(bytes);
    if (ms > lastMs) {
      lastMs = ms;
      // The counter starts in its lower half, so that 2,048 more UUIDs fit into the same millisecond.
      counter = bytes.readUInt16BE(6) & 0x7ff;
    } else if (++counter > 0xfff) {
      lastMs += 1;
      counter = 0;
    }
    bytes.writeUIntBE(lastMs, 0, 6);
    bytes.writeUInt16BE(0x7000 | counter, 6);
    bytes[8] = 0x80 | ((bytes[8] ?? 0) & 0x3f);
    const hex = bytes.toString('hex');
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
  };
}
