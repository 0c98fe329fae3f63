import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';

/** Fewer bytes are kept as they are: nothing would be won. */
const leastBytes = 512;

export interface Packed {
  readonly bytes: Uint8Array;
  readonly zstd: boolean;
}

/** Compressed where that makes it smaller: the bill is by the kilobyte. */
export function pack(bytes: Uint8Array): Packed {
  if (bytes.length <= leastBytes) return { bytes, zstd: false };
  const smaller = zstdCompressSync(bytes, { params: { [constants.ZSTD_c_compressionLevel]: 3 } });
  return smaller.length < bytes.length ? { bytes: smaller, zstd: true } : { bytes, zstd: false };
}

export function unpack({ bytes, zstd }: Packed): Uint8Array {
  return zstd ? zstdDecompressSync(bytes) : bytes;
}
