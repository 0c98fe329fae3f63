import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';

/** Values of at most this many bytes are stored uncompressed, because compression would save nothing. */
const leastBytes = 512;

/** Bytes as the table stores them, compressed with zstd or not. */
export interface PackedBytes {
  readonly bytes: Uint8Array;
  readonly zstd: boolean;
}

/** Compresses bytes with zstd if that makes them fewer: AWS bills by the kilobyte. */
export function pack(bytes: Uint8Array): PackedBytes {
  if (bytes.length <= leastBytes) return { bytes, zstd: false };
  const smaller = zstdCompressSync(bytes, { params: { [constants.ZSTD_c_compressionLevel]: 3 } });
  return smaller.length < bytes.length ? { bytes: smaller, zstd: true } : { bytes, zstd: false };
}

export function unpack({ bytes, zstd }: PackedBytes): Uint8Array {
  return zstd ? zstdDecompressSync(bytes) : bytes;
}
